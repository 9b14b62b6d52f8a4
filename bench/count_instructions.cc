// How often each instruction of a kernel runs: one call of it, a step at a time
// under ptrace, so that operations a weight are counted and not assumed.
//
//   count_instructions [TARGET]     (default: the best that the CPU has)
//
// Prints JSON: for each kernel how many weights met how many tokens, and how
// often each address of this program was run; objdump tells what stands there
// (papers/report/instructions.py).  Tables, packing of tokens and flushing are
// part of the calls.
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "bench/ternary_weights.h"
#include "packing/half.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/targets.h"

extern "C" {
// The linker's: what addresses are counted from, as objdump does.
extern const char __executable_start;  // NOLINT(bugprone-reserved-identifier)
extern const char etext;
}

namespace tern::bench {
namespace {

using Histogram = std::map<std::uint64_t, std::uint64_t>;  // by address

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

#if defined(__x86_64__)
std::uint64_t InstructionPointer(pid_t child) {
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, child, nullptr, &registers) != 0) {
    Fail("ptrace: reading registers");
  }
  return registers.rip;
}
#endif

constexpr int kEnd = SIGUSR1;  // the child's, when the work is done

// Runs `work` in a child process between two signals, a step at a time.
Histogram Count(const std::function<void()>& work) {
  Histogram counts;
#if defined(__x86_64__)
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    std::raise(SIGSTOP);
    work();
    std::raise(kEnd);
    _exit(0);
  }
  const auto begin = reinterpret_cast<std::uint64_t>(&__executable_start);
  const auto end = reinterpret_cast<std::uint64_t>(&etext);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) Fail("ptrace: the child may not be traced");
  while (true) {
    if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) {
      Fail("ptrace: a step");
    }
    waitpid(child, &status, 0);
    const int signal = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
    if (signal == kEnd) break;
    if (signal == SIGSTOP) continue;  // somebody halts processes
    if (signal != SIGTRAP) {
      std::fprintf(stderr, "ptrace: the kernel ended with status %d\n", status);
      std::exit(1);
    }
    const std::uint64_t at = InstructionPointer(child);
    if (at >= begin && at < end) ++counts[at - begin];
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
#else
  (void)work;
  std::fputs("count_instructions: this processor's are not known\n", stderr);
  std::exit(1);
#endif
  return counts;
}

struct Counted {
  const char* name;
  std::size_t weights;
  std::size_t tokens;
  Histogram counts;
};

// A step takes 40 us on a virtual machine, so matrices are small.  256 columns
// are what the sums of one token hold before they are widened.
Counted CountMatVec() {
  constexpr std::size_t kRows = 2304;
  constexpr std::size_t kCols = 256;
  const TernaryWeights weights(kRows, kCols);
  const std::vector<std::int8_t> x = RandomActivations(kCols);
  std::vector<Line> tables = AlignedBytes(kernels::NibbleTableBytes(kCols));
  std::vector<std::int32_t> sums(kRows);
  return {"ternary, one token", kRows * kCols, 1, Count([&] {
            kernels::BuildNibbleTables(x.data(), kCols, tables.front().bytes);
            kernels::MatVec(weights.View(), tables.front().bytes, 0, kRows, 0,
                            kCols, sums.data());
          })};
}

// A model's matrices have 2 to 6 times as many rows that share a table, and
// twice as many columns between two flushes: up to 6 % fewer additions.
Counted CountMatMul() {
  constexpr std::size_t kRows = 1152;
  constexpr std::size_t kCols = 128;
  const std::size_t tokens = kernels::TokenTile();
  const TernaryWeights weights(kRows, kCols);
  const std::vector<std::int8_t> x = RandomActivations(tokens * kCols);
  std::vector<Line> packed =
      AlignedBytes(kernels::PackedTokensBytes(kCols, tokens));
  std::vector<Line> scratch = AlignedBytes(kernels::MatMulScratchBytes(kRows));
  std::vector<std::int32_t> sums(tokens * kRows);
  auto* to = reinterpret_cast<std::int8_t*>(packed.front().bytes);
  return {"ternary, a tile of tokens", kRows * kCols, tokens, Count([&] {
            kernels::PackTokens({.x = x.data(),
                                 .x_stride = kCols,
                                 .tokens = tokens,
                                 .cols = kCols,
                                 .col_begin = 0,
                                 .col_end = kCols},
                                to);
            kernels::MatMul(weights.View(),
                            {.packed = to,
                             .tokens = tokens,
                             .row_begin = 0,
                             .row_end = kRows,
                             .col_begin = 0,
                             .col_end = kCols,
                             .sums = sums.data(),
                             .sums_stride = kRows},
                            scratch.front().bytes);
          })};
}

Counted CountDense(const char* name, std::size_t tokens) {
  constexpr std::size_t kRows = 64;
  constexpr std::size_t kCols = 256;
  const std::vector<float> x = RandomFloats(tokens * kCols);
  std::vector<std::uint16_t> weights;
  for (const float value : RandomFloats(kRows * kCols, 4)) {
    weights.push_back(packing::F32ToF16(value));
  }
  std::vector<Line> scratch = AlignedBytes(kernels::kDenseScratchBytes);
  std::vector<float> y(tokens * kRows);
  const auto* data = reinterpret_cast<const std::uint8_t*>(weights.data());
  return {name, kRows * kCols, tokens, Count([&] {
            kernels::DenseMatMul({kernels::DenseType::kF16, data, kRows, kCols},
                                 {.x = x.data(),
                                  .x_stride = kCols,
                                  .tokens = tokens,
                                  .row_begin = 0,
                                  .row_end = kRows,
                                  .y = y.data(),
                                  .y_stride = kRows},
                                 scratch.front().bytes);
          })};
}

void Print(const std::vector<Counted>& kernels) {
  std::printf("{\"target\": \"%s\", \"kernels\": [",
              kernels::ActiveTarget().c_str());
  const char* separator = "";
  for (const Counted& kernel : kernels) {
    std::printf(
        "%s\n{\"name\": \"%s\", \"weights\": %zu, \"tokens\": %zu, "
        "\"runs\": {",
        separator, kernel.name, kernel.weights, kernel.tokens);
    separator = "";
    for (const auto& [address, times] : kernel.counts) {
      std::printf("%s\"%llx\": %llu", separator,
                  static_cast<unsigned long long>(address),
                  static_cast<unsigned long long>(times));
      separator = ", ";
    }
    std::printf("}}");
    separator = ",";
  }
  std::printf("\n]}\n");
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() > 1 && !tern::kernels::ForceTarget(words[1])) {
    std::fprintf(stderr, "count_instructions: no target %s here\n",
                 words[1].c_str());
    return 2;
  }
  tern::bench::Print({tern::bench::CountMatVec(), tern::bench::CountMatMul(),
                      tern::bench::CountDense("f16, one token", 1),
                      tern::bench::CountDense("f16, 32 tokens", 32)});
}
