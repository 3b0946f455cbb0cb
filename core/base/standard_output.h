#ifndef XKDE_CORE_BASE_STANDARD_OUTPUT_H_
#define XKDE_CORE_BASE_STANDARD_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace xkde {

// Standard output carries results, and nothing else. What is said of them goes to standard error
// (core/base/log.h).

/// Writes `text` to standard output. A failure shows at finish_output(): whoever prints a run's
/// table has work to finish yet.
void print(std::string_view text);

/// Characters of a terminal.
struct TerminalSize {
  int64_t columns = 80, rows = 24;
};
/// That of the terminal which `fd` is open to; nothing where it cannot be drawn over: no terminal,
/// or one that says it is dumb (TERM).
std::optional<TerminalSize> terminal_to_redraw(int fd);

/// How many columns a line on standard output takes at most: those of the terminal that it is, at
/// least 80; as many as it likes where a file or a program gets it, which wants whole lines.
size_t output_columns();

/// Writes what is held back of standard output. Throws IoError, with the system's words, when
/// something that was written to it since the start, by print() or else, did not get there. To be
/// called last, by main. A reader that went away, as `head` does, has had what it wanted.
void finish_output();

/// Puts something that refuses to be written or read in the place of standard input, output and
/// error where the process was started with them closed: a file that is opened later would get
/// their numbers, and with them what is meant for the user. To be called first, by main.
void hold_standard_streams() noexcept;

}  // namespace xkde

#endif  // XKDE_CORE_BASE_STANDARD_OUTPUT_H_
