// How many inputs of the down projections are 0 in a model of ternary layers:
// what squared ReLU leaves (BitNet a4.8, arXiv 2411.04965, section 3.2), and
// what is 0 once it has been rounded to int8.
//
//   activation_sparsity MODEL IDS.json [LISTS]
//
// IDS.json: an array of arrays of token ids; the first LISTS (default 4) are
// fed whole.  Prints JSON: shares of the activations, of groups of four (a tile
// column of the kernels), and by layer.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include <tern/model.h>

#include "runtime/forward/transformer.h"
#include "runtime/kv_cache.h"
#include "runtime/parallel.h"

namespace tern::bench {
namespace {

struct Shares {
  double zeros = 0;        // squared ReLU gave 0
  double int8_zeros = 0;   // 0 after rounding
  double int8_groups = 0;  // groups of four that are all 0 then, times 4
  double all = 0;
};

// One token's inputs [size] of a down projection.
void CountToken(std::span<const float> x, Shares* shares) {
  float most = 0;
  for (const float value : x) most = std::max(most, std::abs(value));
  // What rounds to 0 under the scale 127 / most; half goes to even.
  const float small = most / 127 / 2;
  std::size_t in_group = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % 4 == 0) in_group = 0;
    shares->all += 1;
    if (x[i] == 0) shares->zeros += 1;
    if (std::abs(x[i]) > small) continue;
    shares->int8_zeros += 1;
    if (++in_group == 4) shares->int8_groups += 4;
  }
}

// Takes a list through the layers, counting behind each.
void CountList(const Model& model, const std::vector<Token>& ids, Team& team,
               std::vector<Shares>* layers) {
  const ModelConfig& config = model.config();
  KvCache cache(config, ids.size(), KvType::kF32);
  Workspace work(config, ids.size(), team.size());
  const TokenRun run{&cache, 0, ids.size()};
  const ForwardPass pass{config, model.weights(), {&run, 1}, work, team};
  Embed(pass, ids);
  PreparePositions(pass);
  for (std::size_t i = 0; i < config.num_layers; ++i) {
    RunLayer(pass, i);
    for (std::size_t t = 0; t < ids.size(); ++t) {
      CountToken({work.hb.data() + t * config.ffn_size, config.ffn_size},
                 &layers->at(i));
    }
  }
}

nlohmann::json ToJson(const Shares& shares) {
  return {{"zeros", shares.zeros / shares.all},
          {"int8_zeros", shares.int8_zeros / shares.all},
          {"int8_zero_groups_of_4", shares.int8_groups / shares.all}};
}

void Run(const std::string& path, const std::string& ids_path,
         std::size_t lists) {
  const auto model = Model::Load(path);
  std::ifstream file(ids_path);
  auto ids = nlohmann::json::parse(file).get<std::vector<std::vector<Token>>>();
  ids.resize(std::min(ids.size(), lists));
  Team team(1);
  std::vector<Shares> layers(model->config().num_layers);
  for (const std::vector<Token>& list : ids) {
    CountList(*model, list, team, &layers);
  }
  Shares sum;
  nlohmann::json by_layer = nlohmann::json::array();
  for (const Shares& layer : layers) {
    by_layer.push_back(ToJson(layer));
    sum.zeros += layer.zeros;
    sum.int8_zeros += layer.int8_zeros;
    sum.int8_groups += layer.int8_groups;
    sum.all += layer.all;
  }
  nlohmann::json json = ToJson(sum);
  json["layers"] = by_layer;
  std::printf("%s\n", json.dump().c_str());
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: activation_sparsity MODEL IDS.json [LISTS]\n", stderr);
    return 2;
  }
  try {
    tern::bench::Run(argv[1], argv[2],
                     argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 4);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "activation_sparsity: %s\n", error.what());
    return 1;
  }
}
