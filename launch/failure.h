#ifndef XKDE_LAUNCH_FAILURE_H_
#define XKDE_LAUNCH_FAILURE_H_

#include <string>

namespace xkde {

/// What an exception means to a user and a scheduler.
struct Failure {
  int exit_code = 0;
  std::string kind;  ///< "DataError" and so on
  std::string message;
};

/// Of the exception in flight; to be called in a catch block.
Failure describe_current_exception();

}  // namespace xkde

#endif  // XKDE_LAUNCH_FAILURE_H_
