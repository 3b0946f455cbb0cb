#ifndef XKDE_CORE_TEXT_JINJA_TESTS_H_
#define XKDE_CORE_TEXT_JINJA_TESTS_H_

#include <string>
#include <string_view>

#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

/// The test that `is NAME` asks for. Null: none of this name here.
Test find_test(std::string_view name);
std::string test_names();  ///< "boolean, callable, …", for messages

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_TESTS_H_
