// The report while it is written, and the layers that write it.
#ifndef TERN_RUNTIME_INSPECT_INSPECTION_H_
#define TERN_RUNTIME_INSPECT_INSPECTION_H_

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <tern/error.h>
#include <tern/inspect.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf.h"
#include "runtime/files/on_fault.h"
#include "runtime/files/safetensors.h"

namespace tern::inspect {

// The multipliers of one ternary tensor.
struct TensorScales {
  std::string name;
  float median = 0;  // of those that are not 0
  float max = 0;
  std::size_t zeros = 0;
  std::size_t count = 0;
};

struct Inspection {
  ModelReport report;
  files::FaultList faults;                // become report.problems
  std::map<std::string, std::size_t> at;  // places in report.tensors
  std::set<std::string> read;             // tensors whose weights were read
  std::vector<TensorScales> scales;
};

// --- container.cc ---

// What the container says, format by format.
struct Container {
  files::TensorMap tensors;
  std::optional<files::GgufFile> gguf;  // its tensors are in `tensors`
};

// Throws Error if there is nothing that can be read at all.
Container ReadContainer(const std::filesystem::path& path,
                        Inspection& inspection);

// --- layouts.cc ---

// Which layouts the bytes of a tensor fit; empty where that is plain.
std::string LayoutVerdict(const files::GgufFile& file,
                          const files::StoredTensor& tensor);

// --- weights.cc ---

// Reads all weights of a checkpoint, of which tensors may be missing.
MemoryReport ReadWeights(const checkpoint::Checkpoint& model,
                         Inspection& inspection);
// Those of tensors that say by themselves what they are, and that no model that
// could be read has.
void ReadLooseWeights(const std::filesystem::path& path,
                      const files::TensorMap& tensors, Inspection& inspection);

// --- scales.cc ---

// Warnings about scales that are possible, but that no trained model has.
void JudgeScales(const checkpoint::Checkpoint* model, Inspection& inspection);

// --- inferred.cc ---

// What is not in the file and decided by tern.
void ListInferred(const Container& container, const ModelConfig& config,
                  Inspection& inspection);

}  // namespace tern::inspect

#endif  // TERN_RUNTIME_INSPECT_INSPECTION_H_
