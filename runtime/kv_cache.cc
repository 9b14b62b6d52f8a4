#include "runtime/kv_cache.h"

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

namespace tern {
namespace {

kernels::CacheType KernelType(KvType type) {
  switch (type) {
    case KvType::kF32:
      return kernels::CacheType::kF32;
    case KvType::kF16:
      return kernels::CacheType::kF16;
    case KvType::kQ8:
      return kernels::CacheType::kQ8;
  }
  return kernels::CacheType::kF32;
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, std::size_t capacity, KvType type)
    : type_(KernelType(type)),
      kv_heads_(config.num_kv_heads),
      head_dim_(config.head_dim),
      block_bytes_(kernels::CacheBlockBytes(type_, head_dim_)),
      block_stride_(config.num_layers * kv_heads_ * block_bytes_),
      blocks_(Bytes(config, capacity, type) + kernels::kCachePadding,
              Pages::kHuge) {}

std::uint64_t KvCache::Bytes(const ModelConfig& config, std::size_t capacity,
                             KvType type) {
  const std::uint64_t blocks = (capacity + kernels::kBlockPositions - 1) /
                               kernels::kBlockPositions * config.num_layers *
                               config.num_kv_heads;
  return blocks * kernels::CacheBlockBytes(KernelType(type), config.head_dim);
}

void KvCache::Store(std::size_t layer, std::size_t kv_head,
                    std::size_t position, const float* key,
                    const float* value) {
  std::uint8_t* block = blocks_.data() + BlockAt(layer, kv_head, position);
  if (!kernels::StorePosition(type_, head_dim_,
                              position % kernels::kBlockPositions, key, value,
                              block)) {
    unfit_.store(true, std::memory_order_relaxed);
  }
}

void KvCache::Prefetch(std::size_t layer, std::size_t kv_head,
                       std::size_t position) const {
  kernels::PrefetchPosition(type_, head_dim_,
                            position % kernels::kBlockPositions,
                            blocks_.data() + BlockAt(layer, kv_head, position));
}

kernels::HeadCache KvCache::Head(std::size_t layer, std::size_t kv_head) const {
  return {type_, head_dim_, blocks_.data() + First(layer, kv_head),
          block_stride_};
}

std::span<std::uint8_t> KvCache::Group(std::size_t group) {
  return {blocks_.data() + group * block_stride_, block_stride_};
}

std::vector<std::uint8_t> KvCache::GroupUpTo(std::size_t positions) const {
  const std::size_t group = (positions - 1) / kernels::kBlockPositions;
  const std::uint8_t* from = blocks_.data() + group * block_stride_;
  std::vector<std::uint8_t> copy(from, from + block_stride_);
  for (std::size_t at = 0; at < copy.size(); at += block_bytes_) {
    kernels::ClearFrom(type_, head_dim_,
                       positions - group * kernels::kBlockPositions,
                       copy.data() + at);
  }
  return copy;
}

void KvCache::Release(std::size_t position) {
  const std::size_t groups =
      (position + kernels::kBlockPositions - 1) / kernels::kBlockPositions;
  // Whole pages within the buffer.
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<std::uintptr_t>(blocks_.data());
  const std::uintptr_t begin =
      (at + groups * block_stride_ + page - 1) / page * page;
  const std::uintptr_t end = (at + blocks_.bytes()) / page * page;
  if (begin >= end) return;
  // Only advice: where it is not taken, the memory stays in use.
  (void)madvise(blocks_.data() + (begin - at), end - begin, MADV_DONTNEED);
}

void KvCache::CopyFrom(const KvCache& other, std::size_t positions) {
  const std::size_t groups =
      (positions + kernels::kBlockPositions - 1) / kernels::kBlockPositions;
  std::copy_n(other.blocks_.data(), groups * block_stride_, blocks_.data());
}

}  // namespace tern
