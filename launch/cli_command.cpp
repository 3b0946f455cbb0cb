#include "launch/cli_command.h"

#include <cstdio>

namespace xkde {

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace xkde
