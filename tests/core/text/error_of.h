#ifndef XKDE_TESTS_CORE_TEXT_ERROR_OF_H_
#define XKDE_TESTS_CORE_TEXT_ERROR_OF_H_

#include <string>

#include "core/base/error.h"

namespace xkde::test {

/// "DataError: message" of what `act` throws; empty when it throws nothing.
template <typename Act>
std::string error_of(Act act) {
  try {
    act();
  } catch (const Error& error) {
    return concat(error.kind(), ": ", error.what());
  }
  return {};
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_CORE_TEXT_ERROR_OF_H_
