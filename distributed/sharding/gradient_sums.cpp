#include "distributed/sharding/gradient_sums.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/optim/adamw.h"
#include "core/trace/trace_spans.h"

namespace xkde::dist {
namespace {

/// A GPU fills one buffer while another travels; a CPU rank does one thing at a time.
size_t num_buffers(at::Device device) { return device.is_cuda() ? 2 : 1; }

}  // namespace

GradientSums::GradientSums(const ShardLayout& layout, const ProcessMesh& mesh,
                           GradientOptions options)
    : layout_(layout),
      mesh_(mesh),
      options_(options),
      accumulators_(layout.units.size()),
      local_stale_(layout.units.size(), 1),
      slice_stale_(layout.units.size(), 1),
      buffers_(num_buffers(options.device)) {}

at::Tensor& GradientSums::shard() {
  if (!shard_.defined()) {
    shard_ = at::zeros({layout_.state_numel},
                       at::TensorOptions().dtype(at::kFloat).device(options_.device));
  }
  return shard_;
}

void GradientSums::begin_step() {
  std::fill(local_stale_.begin(), local_stale_.end(), 1);
  std::fill(slice_stale_.begin(), slice_stale_.end(), 1);
}

at::Tensor GradientSums::slice(size_t unit) {
  const UnitLayout& layout = layout_.units[unit];
  return shard().narrow(0, layout.shard_offset, layout.shard_numel);
}

/// Where this rank adds up the packs of a step: without other shards the slice is the whole unit.
at::Tensor GradientSums::local_sum(size_t unit) {
  if (alone()) return slice(unit);
  if (!accumulators_[unit].defined()) {
    const int64_t numel = layout_.units[unit].shard_numel * mesh_.num_shards();
    accumulators_[unit] = at::empty({numel}, shard().options());
  }
  return accumulators_[unit];
}

at::Tensor GradientSums::accumulator(size_t unit) {
  at::Tensor sum = local_sum(unit);
  if (std::exchange(local_stale_[unit], 0) != 0) sum.zero_();
  return sum;
}

void GradientSums::write(size_t unit, const at::Tensor& flat, std::span<const at::Tensor> gradients,
                         bool overwrite) const {
  int64_t offset = 0;
  for (const at::Tensor& gradient : gradients) {
    at::Tensor slot = flat.narrow(0, offset, gradient.numel());
    const at::Tensor values = gradient.reshape({-1});
    if (overwrite) {
      slot.copy_(values);
    } else {
      slot.add_(values);
    }
    offset += gradient.numel();
  }
  XKDE_CHECK(offset == layout_.units[unit].numel, InternalError, layout_.units[unit].name,
             ": gradients of ", offset, " elements for ", layout_.units[unit].numel);
  if (overwrite) flat.narrow(0, offset, flat.numel() - offset).zero_();
}

at::Tensor GradientSums::next_buffer(size_t unit) {
  while (reductions_.size() >= buffers_.size()) complete_first();
  at::Tensor& buffer = buffers_[turn_++ % buffers_.size()];
  const int64_t numel = layout_.units[unit].shard_numel * mesh_.num_shards();
  if (!buffer.defined() || buffer.numel() != numel) {
    buffer = at::empty({numel}, shard().options().dtype(options_.reduce_dtype));
  }
  return buffer;
}

void GradientSums::add(size_t unit, std::span<const at::Tensor> gradients, bool last) {
  if (!alone() && options_.reduce_when == ReduceWhen::kEachPack) {
    const at::Tensor buffer = next_buffer(unit);
    if (gradients.empty()) {
      buffer.zero_();
    } else {
      write(unit, buffer, gradients, true);
    }
    return scatter(unit, buffer, last);
  }
  if (!gradients.empty()) {
    write(unit, local_sum(unit), gradients, std::exchange(local_stale_[unit], 0) != 0);
  }
  if (last) close(unit);
}

void GradientSums::close(size_t unit) {
  const at::Tensor sum = accumulator(unit);
  if (alone()) {
    sum_copies(unit);
  } else {
    scatter(unit, sum.to(options_.reduce_dtype), true);
  }
}

void GradientSums::scatter(size_t unit, at::Tensor full, bool last) {
  const bool first = std::exchange(slice_stale_[unit], 0) != 0;
  const at::Tensor result =
      first ? slice(unit) : at::empty({layout_.units[unit].shard_numel}, shard().options());
  const TraceSpan span(TraceLane::kReduce, "reduce", layout_.units[unit].name);
  mesh_.shards().set_phase(layout_.units[unit].name);
  std::unique_ptr<Work> work = mesh_.shards().reduce_scatter(result, full, ReduceOp::kSum);
  reductions_.push_back({unit, std::move(full), result, first, last, std::move(work)});
}

void GradientSums::complete_first() {
  const Reduction done = std::move(reductions_.front());
  reductions_.pop_front();
  const TraceSpan span(TraceLane::kReduce, "reduce", layout_.units[done.unit].name);
  done.work->wait();
  if (!done.first) slice(done.unit).add_(done.result);
  if (done.last) sum_copies(done.unit);
}

void GradientSums::sum_copies(size_t unit) {
  if (mesh_.num_copies() == 1) return;
  const TraceSpan span(TraceLane::kReduce, "reduce", layout_.units[unit].name);
  const at::Tensor own = slice(unit);
  at::Tensor sum = own.to(options_.reduce_dtype);
  mesh_.copies().set_phase(layout_.units[unit].name);
  std::unique_ptr<Work> work = mesh_.copies().all_reduce(sum, ReduceOp::kSum);
  copy_sums_.push_back({own, std::move(sum), std::move(work)});
}

at::Tensor GradientSums::finish() {
  const TraceSpan span(TraceLane::kReduce, "gradient norm");
  while (!reductions_.empty()) complete_first();
  for (CopySum& copy : copy_sums_) {
    copy.work->wait();
    if (options_.reduce_dtype != at::kFloat) copy.slice.copy_(copy.sum);
  }
  copy_sums_.clear();
  at::Tensor sum = sum_of_squares(shard()).reshape({1});
  if (!alone()) {
    mesh_.shards().set_phase("gradient norm");
    mesh_.shards().all_reduce(sum, ReduceOp::kSum)->wait();
  }
  return sum.sqrt_().squeeze(0);
}

}  // namespace xkde::dist
