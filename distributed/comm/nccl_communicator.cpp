#include "distributed/comm/nccl_communicator.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/GradMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>

#include "core/base/error.h"
#include "distributed/comm/arrival_board.h"
#include "distributed/comm/collective_call.h"
#include "distributed/comm/nccl_guard.h"

namespace xkde::dist {
namespace {

using Gpu = c10::impl::DeviceGuardImplInterface;

/// LibTorch's door to the GPU, which its CUDA half registers when it is loaded.
const Gpu& open_gpu(int device) {
  if (!c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA)) {
    void* handle = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
    XKDE_CHECK(handle != nullptr, DeviceError, "libtorch_cuda.so cannot be loaded: ", dlerror());
  }
  const Gpu& gpu = *c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
  const int found = gpu.deviceCount();
  XKDE_CHECK(device >= 0 && device < found, DeviceError, "found ", found, " GPUs");
  return gpu;
}

class NcclWork final : public Work {
 public:
  NcclWork(GuardedNcclComm& comm, const Gpu& gpu, at::Device device,
           std::shared_ptr<c10::Event> done, std::vector<at::Tensor> tensors)
      : comm_(comm),
        gpu_(gpu),
        device_(device),
        done_(std::move(done)),
        tensors_(std::move(tensors)) {}
  void wait() override {
    comm_.check_alive();
    done_->block(gpu_.getStream(device_));
  }

 private:
  GuardedNcclComm& comm_;
  const Gpu& gpu_;
  at::Device device_;
  std::shared_ptr<c10::Event> done_;
  std::vector<at::Tensor> tensors_;
};

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(Communicator& bootstrap, const NcclLibrary& nccl, const Gpu& gpu, int device,
                   NcclOptions options, std::unique_ptr<Communicator> owned = nullptr)
      : owned_bootstrap_(std::move(owned)),
        bootstrap_(bootstrap),
        nccl_(nccl),
        gpu_(gpu),
        device_(c10::DeviceType::CUDA, static_cast<at::DeviceIndex>(device)),
        stream_(gpu.getStreamFromGlobalPool(device_, true)),
        native_stream_(gpu.getStreamNativeHandle(stream_)),
        options_(std::move(options)),
        checker_{bootstrap.size(), c10::DeviceType::CUDA},
        board_(bootstrap),
        comm_(nccl, board_, concat("group ", options_.group, ": rank ", bootstrap.rank(), ": "),
              options_.timeout_s) {
    share_note(bootstrap);
  }

  /// The part of construction that needs the GPU.
  void connect();

  int rank() const noexcept override { return bootstrap_.rank(); }
  int size() const noexcept override { return bootstrap_.size(); }
  std::string backend() const override { return "nccl"; }
  std::unique_ptr<Work> all_reduce(at::Tensor tensor, ReduceOp op) override;
  std::unique_ptr<Work> all_gather(at::Tensor full, at::Tensor shard) override;
  std::unique_ptr<Work> reduce_scatter(at::Tensor shard, at::Tensor full, ReduceOp op) override;
  std::unique_ptr<Work> broadcast(at::Tensor tensor, int root) override;
  void barrier() override;
  std::unique_ptr<Communicator> split(int color, const std::string& group) override;
  std::vector<std::string> all_gather_bytes(const std::string& bytes) override {
    comm_.check_alive();
    return bootstrap_.all_gather_bytes(bytes);
  }
  std::string broadcast_bytes(const std::string& bytes, int root) override {
    comm_.check_alive();
    return bootstrap_.broadcast_bytes(bytes, root);
  }
  int64_t next_ticket() override { return bootstrap_.next_ticket(); }
  void reset_counter() override { bootstrap_.reset_counter(); }
  void abort(int exit_code) noexcept override { bootstrap_.abort(exit_code); }

 private:
  using Parts = GuardedNcclComm::Parts;

  CollectiveCall start(CollectiveCall call);
  std::unique_ptr<Work> enqueue(const CollectiveCall& call, Parts tensors,
                                const std::function<void()>& body);
  bool is_native(at::ScalarType dtype, ReduceOp op) const;
  void reduce_parts(const Parts& mine, at::Tensor out, ReduceOp op);
  Parts slices(const at::Tensor& flat) const;

  std::unique_ptr<Communicator> owned_bootstrap_;  // of a split group
  Communicator& bootstrap_;
  const NcclLibrary& nccl_;
  const Gpu& gpu_;
  at::Device device_;
  c10::Stream stream_;
  void* native_stream_;
  NcclOptions options_;
  CallChecker checker_;
  int64_t sequence_ = 0;
  ArrivalBoard board_;
  GuardedNcclComm comm_;
};

void NcclCommunicator::connect() {
  const std::string id = bootstrap_.broadcast_bytes(rank() == 0 ? comm_.make_id() : "", 0);
  comm_.check_alive();
  const c10::DeviceGuard guard(device_);
  comm_.init(id, rank(), size());
}

CollectiveCall NcclCommunicator::start(CollectiveCall call) {
  comm_.check_alive();
  call.sequence = ++sequence_;
  note()->write(static_cast<int32_t>(call.operation), call.sequence, phase(), options_.group);
  if (!options_.check_calls) return call;
  std::string bytes(sizeof(call), '\0');
  std::memcpy(bytes.data(), &call, sizeof(call));
  std::vector<CollectiveCall> calls;
  for (const std::string& part : bootstrap_.all_gather_bytes(bytes)) {
    std::memcpy(&calls.emplace_back(), part.data(), sizeof(call));
  }
  try {
    check_agreement(options_.group, calls);
  } catch (const CommError& error) {
    comm_.fail(error.what());
    throw;
  }
  return call;
}

std::unique_ptr<Work> NcclCommunicator::enqueue(const CollectiveCall& call, Parts tensors,
                                                const std::function<void()>& body) {
  // Guards both: ATen's own kernels and memory in `body` are of the communication stream too.
  const c10::Stream caller = gpu_.getStream(device_);
  const c10::StreamGuard guard(stream_);
  const c10::NoGradGuard no_grad;  // the tensors may be parameters
  c10::Event ready(c10::DeviceType::CUDA);
  ready.record(caller);
  ready.block(stream_);
  comm_.begin(call, place());
  body();
  auto done = std::make_shared<c10::Event>(c10::DeviceType::CUDA);
  done->record(stream_);
  comm_.watch(done);
  return std::make_unique<NcclWork>(comm_, gpu_, device_, std::move(done), std::move(tensors));
}

bool NcclCommunicator::is_native(at::ScalarType dtype, ReduceOp op) const {
  return !options_.deterministic && op == ReduceOp::kSum && dtype != at::kBFloat16;
}

/// mine[r]: this rank's part of what rank r reduces; out: the part of this rank.
void NcclCommunicator::reduce_parts(const Parts& mine, at::Tensor out, ReduceOp op) {
  constexpr int64_t kChunkBytes = int64_t{16} << 20;  // of each peer, held while they are added
  const auto own = static_cast<size_t>(rank());
  const int64_t step = kChunkBytes / static_cast<int64_t>(mine[0].element_size());
  int64_t longest = 0;
  for (const at::Tensor& part : mine) longest = std::max(longest, part.numel());
  const auto dtype = mine[0].scalar_type();
  const auto wide = dtype == at::kBFloat16 ? at::kFloat : dtype;
  for (int64_t offset = 0; offset < longest; offset += step) {
    const auto chunk = [&](const at::Tensor& part) {
      const int64_t begin = std::min(offset, part.numel());
      return part.narrow(0, begin, std::min(step, part.numel() - begin));
    };
    Parts sends;
    Parts parts;
    const int64_t count = chunk(mine[own]).numel();
    const auto staging = at::empty({size(), count}, mine[own].options());
    for (size_t r = 0; r < mine.size(); ++r) {
      sends.push_back(chunk(mine[r]));
      parts.push_back(r == own ? sends[r] : staging[static_cast<int64_t>(r)]);
    }
    if (size() > 1) comm_.exchange(sends, parts, native_stream_);
    if (count == 0) continue;
    at::Tensor sum = parts[0].to(wide, /*non_blocking=*/false, /*copy=*/true);
    for (size_t r = 1; r < parts.size(); ++r) {
      if (op == ReduceOp::kSum) {
        sum.add_(parts[r]);
      } else {
        at::maximum_out(sum, sum, parts[r].to(wide));
      }
    }
    chunk(out).copy_(sum, /*non_blocking=*/true);
  }
}

NcclCommunicator::Parts NcclCommunicator::slices(const at::Tensor& flat) const {
  Parts parts;
  for (int64_t r = 0; r < size(); ++r) {
    const int64_t begin = flat.numel() * r / size();
    parts.push_back(flat.narrow(0, begin, flat.numel() * (r + 1) / size() - begin));
  }
  return parts;
}

std::unique_ptr<Work> NcclCommunicator::all_reduce(at::Tensor tensor, ReduceOp op) {
  constexpr int64_t kWholeBytes = int64_t{256} << 10;  // one exchange in place of two
  const CollectiveCall call = start(checker_.all_reduce(tensor, op));
  return enqueue(call, {tensor}, [&] {
    if (is_native(tensor.scalar_type(), op)) return comm_.sum_all(tensor, native_stream_);
    const at::Tensor flat = tensor.view({-1});
    if (static_cast<int64_t>(flat.nbytes()) <= kWholeBytes) {
      // Every rank reduces the whole; it fits one chunk, so no result is sent on as an input.
      return reduce_parts(Parts(static_cast<size_t>(size()), flat), flat, op);
    }
    const Parts parts = slices(flat);
    const at::Tensor own = parts[static_cast<size_t>(rank())];
    reduce_parts(parts, own, op);
    if (size() > 1) comm_.exchange(Parts(parts.size(), own), parts, native_stream_);
  });
}

std::unique_ptr<Work> NcclCommunicator::all_gather(at::Tensor full, at::Tensor shard) {
  const CollectiveCall call = start(checker_.all_gather(full, shard, rank()));
  return enqueue(call, {full, shard}, [&] { comm_.all_gather(full, shard, native_stream_); });
}

std::unique_ptr<Work> NcclCommunicator::reduce_scatter(at::Tensor shard, at::Tensor full,
                                                       ReduceOp op) {
  const CollectiveCall call = start(checker_.reduce_scatter(shard, full, op, rank()));
  return enqueue(call, {shard, full}, [&] {
    if (is_native(full.scalar_type(), op)) return comm_.sum_scatter(shard, full, native_stream_);
    reduce_parts(slices(full.view({-1})), shard.view({-1}), op);
  });
}

std::unique_ptr<Work> NcclCommunicator::broadcast(at::Tensor tensor, int root) {
  const CollectiveCall call = start(checker_.broadcast(tensor, root));
  return enqueue(call, {tensor}, [&] { comm_.broadcast(tensor, root, native_stream_); });
}

void NcclCommunicator::barrier() {
  comm_.begin(start({.operation = Operation::kBarrier}), place());
  gpu_.synchronizeStream(stream_);
  comm_.check_alive();
  bootstrap_.barrier();
}

std::unique_ptr<Communicator> NcclCommunicator::split(int color, const std::string& group) {
  comm_.check_alive();
  // A communicator of its own, not ncclCommSplit's child: the watchdog of one group may abort it
  // while the other works on, and no parent has to live as long or be idle.
  std::unique_ptr<Communicator> bootstrap = bootstrap_.split(color, group);
  Communicator& members = *bootstrap;
  NcclOptions options = options_;
  options.group = group;
  auto comm = std::make_unique<NcclCommunicator>(members, nccl_, gpu_, device_.index(),
                                                 std::move(options), std::move(bootstrap));
  comm->connect();
  return comm;
}

}  // namespace

bool has_nccl() noexcept { return true; }

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& bootstrap, int device,
                                                     NcclOptions options) {
  const std::string place = concat("group ", options.group, " on GPU ", device, ": ");
  NcclLibrary const* nccl = nullptr;
  const Gpu* gpu = nullptr;
  std::string failure;
  try {
    gpu = &open_gpu(device);
    nccl = &nccl_library();
  } catch (const DeviceError& error) {
    failure = place + error.what();  // told to all before anyone throws, so that none waits
  }
  const std::vector<std::string> failures = bootstrap.all_gather_bytes(failure);
  for (size_t rank = 0; rank < failures.size(); ++rank) {
    XKDE_CHECK(failures[rank].empty(), DeviceError, "rank ", rank, ": ", failures[rank]);
  }
  auto comm =
      std::make_unique<NcclCommunicator>(bootstrap, *nccl, *gpu, device, std::move(options));
  comm->connect();
  return comm;
}

}  // namespace xkde::dist
