#include "distributed/comm/collective_call.h"

#include <array>

#include "core/base/error.h"
#include "distributed/comm/cpu_reduce.h"

namespace xkde::dist {
namespace {

const char* name(Operation operation) {
  constexpr std::array<const char*, 8> kNames = {
      "all_reduce", "all_gather",       "reduce_scatter",  "broadcast",
      "barrier",    "all_gather_bytes", "broadcast_bytes", "reset_counter"};
  return kNames.at(static_cast<size_t>(operation));
}

bool agree(const CollectiveCall& a, const CollectiveCall& b) {
  return a.operation == b.operation && a.dtype == b.dtype && a.result_dtype == b.result_dtype &&
         a.reduce == b.reduce && a.root == b.root && a.numel == b.numel && a.sequence == b.sequence;
}

void check_tensor(const char* operation, const char* argument, const at::Tensor& tensor,
                  c10::DeviceType device) {
  XKDE_CHECK(tensor.defined(), InternalError, operation, ": ", argument, " is undefined");
  XKDE_CHECK(tensor.is_contiguous(), InternalError, operation, ": ", argument,
             " is not contiguous");
  XKDE_CHECK(tensor.device().type() == device, InternalError, operation, ": ", argument,
             ": expected a tensor on ", c10::DeviceTypeName(device, true), ", found ",
             tensor.device().str());
  XKDE_CHECK(is_collective_dtype(tensor.scalar_type()), InternalError, operation, ": ", argument,
             ": expected fp32, bf16, fp64 or int64, found ", c10::toString(tensor.scalar_type()));
}

void check_root(const char* operation, int root, int size) {
  XKDE_CHECK(root >= 0 && root < size, InternalError, operation, ": root ", root,
             ": expected a rank below ", size);
}

// Writing one of the two while the other is read is right only slice on slice.
void check_overlap(const char* operation, const at::Tensor& full, const at::Tensor& shard,
                   int rank) {
  const auto* full_begin = static_cast<const char*>(full.const_data_ptr());
  const auto* shard_begin = static_cast<const char*>(shard.const_data_ptr());
  const char* own_slice =
      full_begin + static_cast<int64_t>(rank) * static_cast<int64_t>(shard.nbytes());
  const bool apart =
      shard_begin + shard.nbytes() <= full_begin || full_begin + full.nbytes() <= shard_begin;
  const bool own = shard_begin == own_slice && shard.scalar_type() == full.scalar_type();
  XKDE_CHECK(apart || own || shard.numel() == 0, InternalError, operation,
             ": shard overlaps full, and is not the slice of rank ", rank);
}

void check_sizes(const char* operation, const at::Tensor& full, const at::Tensor& shard, int size) {
  XKDE_CHECK(full.numel() == shard.numel() * size, InternalError, operation, ": full: expected ",
             size, " times the shard's ", shard.numel(), " elements, found ", full.numel());
}

}  // namespace

std::string title(const CollectiveCall& call, std::string_view phase) {
  const std::string text = concat(name(call.operation), " #", call.sequence);
  return phase.empty() ? text : concat(text, " (", phase, ")");
}

std::string title(const CallNote::Content& note) {
  CollectiveCall call;
  call.operation = static_cast<Operation>(note.operation);
  call.sequence = note.sequence;
  const std::string text = note.sequence == 0 ? "no collective yet"
                                              : title(call, note.phase) + " of group " + note.group;
  return note.step.empty() ? text : text + ", " + note.step;
}

std::string describe(const CollectiveCall& call) {
  std::string text = concat(name(call.operation), "(");
  if (call.dtype >= 0) {
    text += concat(c10::toString(static_cast<at::ScalarType>(call.dtype)), ", ", call.numel,
                   " elements");
  }
  if (call.result_dtype != call.dtype) {
    text += concat(", into ", c10::toString(static_cast<at::ScalarType>(call.result_dtype)));
  }
  if (call.reduce >= 0) text += call.reduce == static_cast<int>(ReduceOp::kSum) ? ", sum" : ", max";
  if (call.root >= 0) text += concat(call.dtype >= 0 ? ", " : "", "root ", call.root);
  return text + ")";
}

void check_agreement(const std::string& group, std::span<const CollectiveCall> calls) {
  for (size_t rank = 1; rank < calls.size(); ++rank) {
    XKDE_CHECK(agree(calls[0], calls[rank]), CommError, "group ", group, ": collective #",
               calls[0].sequence, ": rank ", rank, " called ", describe(calls[rank]),
               " where rank 0 called ", describe(calls[0]));
  }
}

CollectiveCall CallChecker::all_reduce(const at::Tensor& tensor, ReduceOp op) const {
  check_tensor("all_reduce", "tensor", tensor, device);
  const auto dtype = static_cast<int32_t>(tensor.scalar_type());
  return {.operation = Operation::kAllReduce,
          .dtype = dtype,
          .result_dtype = dtype,
          .reduce = static_cast<int32_t>(op),
          .numel = tensor.numel()};
}

CollectiveCall CallChecker::all_gather(const at::Tensor& full, const at::Tensor& shard,
                                       int rank) const {
  check_tensor("all_gather", "full", full, device);
  check_tensor("all_gather", "shard", shard, device);
  check_sizes("all_gather", full, shard, size);
  XKDE_CHECK(full.scalar_type() == shard.scalar_type(), InternalError,
             "all_gather: expected full and shard of one dtype, found ",
             c10::toString(full.scalar_type()), " and ", c10::toString(shard.scalar_type()));
  check_overlap("all_gather", full, shard, rank);
  const auto dtype = static_cast<int32_t>(full.scalar_type());
  return {.operation = Operation::kAllGather,
          .dtype = dtype,
          .result_dtype = dtype,
          .numel = shard.numel()};
}

CollectiveCall CallChecker::reduce_scatter(const at::Tensor& shard, const at::Tensor& full,
                                           ReduceOp op, int rank) const {
  check_tensor("reduce_scatter", "shard", shard, device);
  check_tensor("reduce_scatter", "full", full, device);
  check_sizes("reduce_scatter", full, shard, size);
  const bool widens = full.scalar_type() == at::kBFloat16 && shard.scalar_type() == at::kFloat;
  XKDE_CHECK(full.scalar_type() == shard.scalar_type() || widens, InternalError,
             "reduce_scatter: expected a shard of full's dtype, or of fp32 for bf16, found ",
             c10::toString(shard.scalar_type()), " for ", c10::toString(full.scalar_type()));
  check_overlap("reduce_scatter", full, shard, rank);
  return {.operation = Operation::kReduceScatter,
          .dtype = static_cast<int32_t>(full.scalar_type()),
          .result_dtype = static_cast<int32_t>(shard.scalar_type()),
          .reduce = static_cast<int32_t>(op),
          .numel = shard.numel()};
}

CollectiveCall CallChecker::broadcast(const at::Tensor& tensor, int root) const {
  check_tensor("broadcast", "tensor", tensor, device);
  check_root("broadcast", root, size);
  const auto dtype = static_cast<int32_t>(tensor.scalar_type());
  return {.operation = Operation::kBroadcast,
          .dtype = dtype,
          .result_dtype = dtype,
          .root = root,
          .numel = tensor.numel()};
}

CollectiveCall CallChecker::broadcast_bytes(const std::string& bytes, int root, int rank) const {
  check_root("broadcast_bytes", root, size);
  return {.operation = Operation::kBroadcastBytes,
          .root = root,
          .bytes = rank == root ? static_cast<int64_t>(bytes.size()) : 0};
}

}  // namespace xkde::dist
