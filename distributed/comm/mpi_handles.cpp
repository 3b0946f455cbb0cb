#include "distributed/comm/mpi_handles.h"

#include <array>
#include <exception>
#include <string>
#include <utility>

#include "core/base/error.h"

namespace xkde::dist {

void mpi_check(int code, const char* function) {
  if (code == MPI_SUCCESS) [[likely]]
    return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw CommError(concat(function, ": ", std::string(text.data(), static_cast<size_t>(length))));
}

MpiComm::MpiComm(MPI_Comm comm) : comm_(comm), exceptions_(std::uncaught_exceptions()) {
  mpi_check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

MpiComm::~MpiComm() { free(); }

MpiComm::MpiComm(MpiComm&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)), exceptions_(other.exceptions_) {}

MpiComm& MpiComm::operator=(MpiComm&& other) noexcept {
  if (this == &other) return *this;
  free();
  comm_ = std::exchange(other.comm_, MPI_COMM_NULL);
  exceptions_ = other.exceptions_;
  return *this;
}

void MpiComm::free() noexcept {
  if (comm_ == MPI_COMM_NULL || std::uncaught_exceptions() > exceptions_) return;
  MPI_Comm_free(&comm_);
}

MpiComm MpiComm::world() {
  MPI_Comm comm = MPI_COMM_NULL;
  mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "MPI_Comm_dup");
  return MpiComm(comm);
}

MpiComm MpiComm::split(int color) const {
  MPI_Comm comm = MPI_COMM_NULL;
  mpi_check(MPI_Comm_split(comm_, color, rank(), &comm), "MPI_Comm_split");
  return MpiComm(comm);
}

MpiComm MpiComm::duplicate() const {
  MPI_Comm copy = MPI_COMM_NULL;
  mpi_check(MPI_Comm_dup(comm_, &copy), "MPI_Comm_dup");
  return MpiComm(copy);
}

int MpiComm::rank() const {
  int rank = 0;
  mpi_check(MPI_Comm_rank(comm_, &rank), "MPI_Comm_rank");
  return rank;
}

int MpiComm::size() const {
  int size = 0;
  mpi_check(MPI_Comm_size(comm_, &size), "MPI_Comm_size");
  return size;
}

int MpiComm::host_size() const {
  MPI_Comm host = MPI_COMM_NULL;
  mpi_check(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host),
            "MPI_Comm_split_type");
  return MpiComm(host).size();
}

}  // namespace xkde::dist
