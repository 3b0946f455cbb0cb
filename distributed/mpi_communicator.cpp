#include "distributed/mpi_communicator.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/error.h"
#include "distributed/mpi_communicator_messages.h"
#include "distributed/mpi_handles.h"
#include "distributed/shared_segment.h"

namespace xkde::dist {
namespace {

/// Memory that the processes of one host share. Move-only.
class SharedMapping {
 public:
  /// Every rank of `comm` calls it; rank 0 makes the memory and formats it.
  SharedMapping(const MpiComm& comm, size_t bytes);
  ~SharedMapping() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
  }
  SharedMapping(SharedMapping&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
  SharedMapping& operator=(SharedMapping&&) = delete;
  void* memory() const noexcept { return memory_; }

 private:
  int map(const char* name, int flags);

  void* memory_ = nullptr;
  size_t bytes_;
};

using Name = std::array<char, 32>;

Name random_name() {
  std::random_device device;
  const std::string text = concat("/xkde-", std::hex, device(), device());
  Name name{};
  std::copy(text.begin(), text.end(), name.begin());
  return name;
}

// Returns an errno: a rank that threw here would leave the others waiting.
int SharedMapping::map(const char* name, int flags) {
  const int file = shm_open(name, flags | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return errno;
  // Takes the pages now: a full /dev/shm is an error here and not a SIGBUS later.
  int error = (flags & O_CREAT) != 0 ? posix_fallocate(file, 0, static_cast<off_t>(bytes_)) : 0;
  if (error == 0) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
      error = errno;
    } else {
      memory_ = memory;
    }
  }
  close(file);
  return error;
}

SharedMapping::SharedMapping(const MpiComm& comm, size_t bytes) : bytes_(bytes) {
  const bool first = comm.rank() == 0;
  Name name = first ? random_name() : Name{};
  int error = first ? map(name.data(), O_CREAT | O_EXCL) : 0;
  if (first && error == 0) SegmentCommunicator::format(memory_, comm.size());
  // The others open it only now, and it keeps its name only until all have.
  int code = MPI_Bcast(name.data(), static_cast<int>(name.size()), MPI_CHAR, 0, comm.get());
  if (code == MPI_SUCCESS && !first) error = map(name.data(), 0);
  int worst = 0;
  if (code == MPI_SUCCESS) {
    code = MPI_Allreduce(&error, &worst, 1, MPI_INT, MPI_MAX, comm.get());
  }
  if (first) shm_unlink(name.data());
  mpi_check(code, "MPI_Allreduce");
  XKDE_CHECK(worst == 0, IoError, "shared memory of ", bytes, " bytes for ", comm.size(),
             " ranks of one host (/dev/shm): ", std::strerror(worst));
}

/// Shared memory where all ranks of `comm` share a host, unless the options say otherwise.
std::unique_ptr<Communicator> make_communicator(MpiComm comm, bool has_threads, MpiOptions options);

class SharedMemoryCommunicator final : public SegmentCommunicator {
 public:
  SharedMemoryCommunicator(SharedMapping mapping, MpiComm comm, SegmentOptions options)
      : SegmentCommunicator(mapping.memory(), comm.size(), comm.rank(), std::move(options)),
        mapping_(std::move(mapping)),
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
  SharedMapping mapping_;
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
  SharedMapping mapping(comm, SegmentCommunicator::memory_bytes(comm.size(), options.chunk_bytes));
  return std::make_unique<SharedMemoryCommunicator>(std::move(mapping), std::move(comm),
                                                    std::move(segment));
}

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const MpiEnvironment& environment,
                                                    MpiOptions options) {
  return make_communicator(MpiComm::world(), environment.has_threads(), std::move(options));
}

}  // namespace xkde::dist
