#ifndef XKDE_TESTS_SUPPORT_MESSAGE_OF_H_
#define XKDE_TESTS_SUPPORT_MESSAGE_OF_H_

#include <functional>
#include <string>

#include "core/base/error.h"

namespace xkde::test {

/// The message of the `ErrorType` that `act` throws; "no error" when it throws none.
template <typename ErrorType = Error>
std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_SUPPORT_MESSAGE_OF_H_
