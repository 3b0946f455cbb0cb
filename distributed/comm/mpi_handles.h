#ifndef XKDE_DISTRIBUTED_COMM_MPI_HANDLES_H_
#define XKDE_DISTRIBUTED_COMM_MPI_HANDLES_H_

#include <mpi.h>

namespace xkde::dist {

/// Throws CommError "MPI_Bcast: <MPI's words>" unless `code` is MPI_SUCCESS.
void mpi_check(int code, const char* function);

/// An owned MPI_Comm whose functions return their errors. Every rank frees it, in the same order;
/// while an exception unwinds it is left to the end of the process, because others may never come.
class MpiComm {
 public:
  MpiComm() = default;
  explicit MpiComm(MPI_Comm comm);
  ~MpiComm();
  MpiComm(MpiComm&& other) noexcept;
  MpiComm& operator=(MpiComm&& other) noexcept;
  MpiComm(const MpiComm&) = delete;
  MpiComm& operator=(const MpiComm&) = delete;

  /// A copy of MPI_COMM_WORLD. All ranks call it, as the functions below.
  static MpiComm world();
  /// Ranks with the same `color`, in rank order.
  MpiComm split(int color) const;
  MpiComm duplicate() const;
  /// Leaves it to the end of the process: after a failure its messages may still be on the way, and
  /// MPI would hand its context, and them with it, to the next communicator.
  void abandon() noexcept { comm_ = MPI_COMM_NULL; }
  MPI_Comm get() const noexcept { return comm_; }
  int rank() const;
  int size() const;
  int host_size() const;  ///< ranks of this host; all ranks call it

 private:
  void free() noexcept;

  MPI_Comm comm_ = MPI_COMM_NULL;
  int exceptions_ = 0;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_MPI_HANDLES_H_
