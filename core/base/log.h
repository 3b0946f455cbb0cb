#ifndef XKDE_CORE_BASE_LOG_H_
#define XKDE_CORE_BASE_LOG_H_

#include <functional>
#include <string>
#include <string_view>

namespace xkde::log {

/// Says who speaks: with size > 1 lines carry "[rank r/size]", and only rank 0 prints info().
/// Call once, before the first line.
void set_rank(int rank, int size);
void info(std::string_view message);     ///< standard error, rank 0 only
void warning(std::string_view message);  ///< standard error, every rank
/// A warning of what every rank finds alike: standard error, rank 0 only.
void shared_warning(std::string_view message);
/// "[rank 3/8] DataError: ..." in one write, so that lines of ranks never mix.
void error(std::string_view kind, std::string_view message);

/// Takes a line, without its end, from any thread, one at a time. Returns what is to be said of it
/// on standard error, as that the line is lost; "" for nothing. Calls no function of this file.
using Copy = std::function<std::string(std::string_view line)>;
/// From now on `copy` gets what this rank says, also info() of ranks that print none. Null: nobody
/// does.
void copy_to(Copy copy);
/// A line for the copy alone.
void note(std::string_view message);

}  // namespace xkde::log

#endif  // XKDE_CORE_BASE_LOG_H_
