#include "distributed/comm/mpi_environment.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <thread>
#include <type_traits>
#include <utility>

#include <dlfcn.h>
#include <mpi.h>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "distributed/comm/mpi_handles.h"

namespace xkde::dist {
namespace {

std::vector<std::string> gather_hostnames(int size) {
  std::array<char, MPI_MAX_PROCESSOR_NAME> own{};
  int length = 0;
  mpi_check(MPI_Get_processor_name(own.data(), &length), "MPI_Get_processor_name");
  std::vector<char> all(static_cast<size_t>(size) * own.size());
  mpi_check(MPI_Allgather(own.data(), MPI_MAX_PROCESSOR_NAME, MPI_CHAR, all.data(),
                          MPI_MAX_PROCESSOR_NAME, MPI_CHAR, MPI_COMM_WORLD),
            "MPI_Allgather");
  std::vector<std::string> names;
  for (size_t r = 0; r < static_cast<size_t>(size); ++r) names.emplace_back(&all[r * own.size()]);
  return names;
}

}  // namespace

MpiEnvironment::MpiEnvironment() : exceptions_(std::uncaught_exceptions()) {
  int initialized = 0;
  mpi_check(MPI_Initialized(&initialized), "MPI_Initialized");
  XKDE_CHECK(initialized == 0, InternalError, "MPI is initialised already");
  int provided = MPI_THREAD_SINGLE;
  mpi_check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  owns_ = true;
  has_threads_ = provided == MPI_THREAD_MULTIPLE;
  mpi_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  mpi_check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
  MPI_Comm local = MPI_COMM_NULL;
  mpi_check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local),
            "MPI_Comm_split_type");
  mpi_check(MPI_Comm_rank(local, &local_rank_), "MPI_Comm_rank");
  mpi_check(MPI_Comm_size(local, &local_size_), "MPI_Comm_size");
  mpi_check(MPI_Comm_free(&local), "MPI_Comm_free");
  hostnames_ = gather_hostnames(size_);
  MPI_Comm end_comm = MPI_COMM_NULL;
  mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &end_comm), "MPI_Comm_dup");
  end_comm_ = MPI_Comm_c2f(end_comm);
}

MpiEnvironment::~MpiEnvironment() { finalize(); }

MpiEnvironment::MpiEnvironment(MpiEnvironment&& other) noexcept
    : owns_(std::exchange(other.owns_, false)),
      exceptions_(other.exceptions_),
      rank_(other.rank_),
      size_(other.size_),
      local_rank_(other.local_rank_),
      local_size_(other.local_size_),
      has_threads_(other.has_threads_),
      end_comm_(other.end_comm_),
      hostnames_(std::move(other.hostnames_)) {}

MpiEnvironment& MpiEnvironment::operator=(MpiEnvironment&& other) noexcept {
  if (this == &other) return *this;
  finalize();
  owns_ = std::exchange(other.owns_, false);
  exceptions_ = other.exceptions_;
  rank_ = other.rank_;
  size_ = other.size_;
  local_rank_ = other.local_rank_;
  local_size_ = other.local_size_;
  has_threads_ = other.has_threads_;
  end_comm_ = other.end_comm_;
  hostnames_ = std::move(other.hostnames_);
  return *this;
}

void MpiEnvironment::finalize() noexcept {
  if (!std::exchange(owns_, false)) return;
  if (std::uncaught_exceptions() > exceptions_) return;
  MPI_Finalize();
}

std::optional<std::vector<RankEnd>> MpiEnvironment::ends_of_ranks(const RankEnd& own,
                                                                  double patience_s) const {
  if (size_ == 1) return std::vector<RankEnd>{own};
  // A request that is given up keeps reading and writing: what it has stays for ever.
  static_assert(std::is_trivially_copyable_v<RankEnd>);
  static auto& told = *new RankEnd;
  static auto& all = *new std::vector<RankEnd>;
  told = own;
  all.resize(static_cast<size_t>(size_));
  MPI_Request request = MPI_REQUEST_NULL;
  if (MPI_Iallgather(&told, sizeof told, MPI_BYTE, all.data(), sizeof told, MPI_BYTE,
                     MPI_Comm_f2c(end_comm_), &request) != MPI_SUCCESS)
    return std::nullopt;
  const Stopwatch watch;
  int done = 0;
  while (MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done == 0) {
    if (watch.seconds() > patience_s) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (done == 0) return std::nullopt;
  return all;
}

void MpiEnvironment::abort(int exit_code) const noexcept {
  // MPI_Abort waits for daemons of the launcher, which a cut link may have taken away.
  std::thread([exit_code] {
    std::this_thread::sleep_for(std::chrono::seconds(5));
    std::_Exit(exit_code);
  }).detach();
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);  // where MPI_Abort returns after all
}

MpiLibrary mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  mpi_check(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  const std::string whole(text.data());
  MpiLibrary library{.version = whole.substr(0, whole.find_first_of(",\n")), .path = {}};
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&MPI_Get_library_version), &info) != 0 &&
      info.dli_fname != nullptr) {
    library.path = info.dli_fname;
  }
  return library;
}

}  // namespace xkde::dist
