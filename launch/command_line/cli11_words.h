#ifndef XKDE_LAUNCH_COMMAND_LINE_CLI11_WORDS_H_
#define XKDE_LAUNCH_COMMAND_LINE_CLI11_WORDS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

// What CLI11 2.1 says, in texts alone.

/// "a" and "b" of "DTYPE:{a,b}": what it says of an option whose values are few; else none.
std::vector<std::string> choices_in(std::string_view type);

/// What it says of a command line, as this program says it: "--limit: expected a number,
/// found 'x'". `flags` are the options that take no value. A message that is not known stays as it
/// is.
std::string in_house_form(std::string_view message, std::span<const std::string> flags);

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMAND_LINE_CLI11_WORDS_H_
