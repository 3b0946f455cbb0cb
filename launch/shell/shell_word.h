#ifndef XKDE_LAUNCH_SHELL_SHELL_WORD_H_
#define XKDE_LAUNCH_SHELL_SHELL_WORD_H_

#include <string>
#include <string_view>

namespace xkde {

/// A text between single quotes, as sh, bash and zsh read it.
std::string shell_quoted(std::string_view text);
/// A text as a shell reads it for one word behind a command: itself where that is plain, else in
/// quotes.
std::string shell_word(std::string_view text);

}  // namespace xkde

#endif  // XKDE_LAUNCH_SHELL_SHELL_WORD_H_
