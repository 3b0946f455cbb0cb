#include "distributed/comm/mpi_communicator.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/shared_memory.h"
#include "distributed/comm/mpi_communicator_messages.h"
#include "distributed/comm/mpi_handles.h"
#include "distributed/comm/shared_segment.h"

namespace xkde::dist {
namespace {

/// What the first rank tells the others of the memory it made.
struct Offer {
  std::array<char, 32> name{};
  int64_t chunk_bytes = 0;
};

/// Makes the memory for `size` ranks and formats it. `chunk_bytes` shrinks to what fits. Returns an
/// errno.
int create_segment(SharedMemory& memory, const std::string& name, int size, int64_t& chunk_bytes) {
  const int64_t smallest = SegmentCommunicator::smallest_chunk(size);
  // MPI's own segments, and the groups that are split off later, need room too.
  const int64_t share = SharedMemory::free_bytes() / 4;
  const auto bytes = [&] { return SegmentCommunicator::memory_bytes(size, chunk_bytes); };
  const auto shrink = [&] { chunk_bytes = std::max(smallest, chunk_bytes / 2); };
  while (chunk_bytes > smallest && static_cast<int64_t>(bytes()) > share) shrink();
  int error = memory.create(name, bytes());
  while (error == ENOSPC && chunk_bytes > smallest) {
    SharedMemory::forget(name);
    shrink();
    error = memory.create(name, bytes());
  }
  if (error == 0) SegmentCommunicator::format(memory.get(), size);
  return error;
}

/// Every rank of `comm` calls it; rank 0 makes the memory. `chunk_bytes` is what is wanted, and
/// becomes what there is.
SharedMemory share_memory(const MpiComm& comm, int64_t& chunk_bytes) {
  const bool first = comm.rank() == 0;
  Offer offer;
  SharedMemory memory;
  int error = 0;
  if (first) {
    const std::string text = SharedMemory::random_name();
    std::copy(text.begin(), text.end(), offer.name.begin());
    error = create_segment(memory, text, comm.size(), chunk_bytes);
    offer.chunk_bytes = chunk_bytes;
  }
  // The others open it only now, and it keeps its name only until all have.
  int code = MPI_Bcast(&offer, sizeof(offer), MPI_BYTE, 0, comm.get());
  chunk_bytes = offer.chunk_bytes;
  const size_t bytes = SegmentCommunicator::memory_bytes(comm.size(), chunk_bytes);
  if (code == MPI_SUCCESS && !first) error = memory.open(offer.name.data(), bytes);
  // The first rank's error is the cause: without its memory the others find nothing to open.
  std::vector<int> errors(static_cast<size_t>(comm.size()));
  if (code == MPI_SUCCESS) {
    code = MPI_Allgather(&error, 1, MPI_INT, errors.data(), 1, MPI_INT, comm.get());
  }
  if (first) SharedMemory::forget(offer.name.data());
  mpi_check(code, "MPI_Allgather");
  for (const int found : errors) {
    XKDE_CHECK(found == 0, IoError, comm.size(),
               " ranks of one host: ", SharedMemory::describe(bytes, found));
  }
  return memory;
}

/// One rank shares with nobody.
SharedMemory own_memory(int64_t chunk_bytes) {
  SharedMemory memory;
  const size_t bytes = SegmentCommunicator::memory_bytes(1, chunk_bytes);
  const int error = memory.create_private(bytes);
  XKDE_CHECK(error == 0, MemoryError, "memory for a rank: expected ", bytes, " bytes, found ",
             std::strerror(error));
  SegmentCommunicator::format(memory.get(), 1);
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
    auto comm = make_communicator(
        comm_.split(color), true,
        {.group = group, .timeout_s = options().timeout_s, .chunk_bytes = options().chunk_bytes});
    comm->share_note(*this);
    return comm;
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
      comm.size() == 1 ? own_memory(segment.chunk_bytes) : share_memory(comm, segment.chunk_bytes);
  return std::make_unique<SharedMemoryCommunicator>(std::move(memory), std::move(comm),
                                                    std::move(segment));
}

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const MpiEnvironment& environment,
                                                    MpiOptions options) {
  return make_communicator(MpiComm::world(), environment.has_threads(), std::move(options));
}

}  // namespace xkde::dist
