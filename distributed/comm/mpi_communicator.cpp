#include "distributed/comm/mpi_communicator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/base/shared_memory.h"
#include "distributed/comm/mpi_communicator_messages.h"
#include "distributed/comm/mpi_handles.h"
#include "distributed/comm/shared_segment.h"

namespace xkde::dist {
namespace {

/// Every rank of `comm` calls it; rank 0 makes the memory and formats it.
SharedMemory share_memory(const MpiComm& comm, size_t bytes) {
  const bool first = comm.rank() == 0;
  std::array<char, 32> name{};
  if (first) {
    const std::string text = SharedMemory::random_name();
    std::copy(text.begin(), text.end(), name.begin());
  }
  SharedMemory memory;
  int error = first ? memory.create(name.data(), bytes) : 0;
  if (first && error == 0) SegmentCommunicator::format(memory.get(), comm.size());
  // The others open it only now, and it keeps its name only until all have.
  int code = MPI_Bcast(name.data(), static_cast<int>(name.size()), MPI_CHAR, 0, comm.get());
  if (code == MPI_SUCCESS && !first) error = memory.open(name.data(), bytes);
  int worst = 0;
  if (code == MPI_SUCCESS) {
    code = MPI_Allreduce(&error, &worst, 1, MPI_INT, MPI_MAX, comm.get());
  }
  if (first) SharedMemory::forget(name.data());
  mpi_check(code, "MPI_Allreduce");
  XKDE_CHECK(worst == 0, IoError, "shared memory of ", bytes, " bytes for ", comm.size(),
             " ranks of one host (/dev/shm): ", std::strerror(worst));
  return memory;
}

/// Shared memory where all ranks of `comm` share a host, unless the options say otherwise.
std::unique_ptr<Communicator> make_communicator(MpiComm comm, bool has_threads, MpiOptions options);

class SharedMemoryCommunicator final : public SegmentCommunicator {
 public:
  SharedMemoryCommunicator(SharedMemory memory, MpiComm comm, SegmentOptions options)
      : SegmentCommunicator(memory.get(), comm.size(), comm.rank(), std::move(options)),
        memory_(std::move(memory)),
        comm_(std::move(comm)) {}
  std::string backend() const override { return "mpi"; }
  std::unique_ptr<Communicator> split(int color, const std::string& group) override {
    barrier();  // a rank that failed shows here, and not as a hang in MPI
    return make_communicator(
        comm_.split(color), true,
        {.group = group, .timeout_s = options().timeout_s, .chunk_bytes = options().chunk_bytes});
  }
  // The others get no sign in the segment: they would report this rank's error as theirs and race
  // for the exit code of the job.
  void abort(int exit_code) noexcept override { MPI_Abort(MPI_COMM_WORLD, exit_code); }

 private:
  SharedMemory memory_;
  MpiComm comm_;
};

std::unique_ptr<Communicator> make_communicator(MpiComm comm, bool has_threads,
                                                MpiOptions options) {
  const bool one_host = comm.host_size() == comm.size();
  XKDE_CHECK(one_host || options.transport != MpiTransport::kSharedMemory, CommError, "group ",
             options.group, ": its ranks are on several hosts and share no memory");
  if (!one_host || options.transport == MpiTransport::kMessages) {
    XKDE_CHECK(has_threads || comm.size() == 1, CommError, "group ", options.group,
               ": ranks on several hosts need an MPI with MPI_THREAD_MULTIPLE");
    return make_message_communicator(std::move(comm), options.group, options.timeout_s);
  }
  SegmentOptions segment{
      .group = options.group, .timeout_s = options.timeout_s, .chunk_bytes = options.chunk_bytes};
  SharedMemory memory =
      share_memory(comm, SegmentCommunicator::memory_bytes(comm.size(), options.chunk_bytes));
  return std::make_unique<SharedMemoryCommunicator>(std::move(memory), std::move(comm),
                                                    std::move(segment));
}

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const MpiEnvironment& environment,
                                                    MpiOptions options) {
  return make_communicator(MpiComm::world(), environment.has_threads(), std::move(options));
}

}  // namespace xkde::dist
