#ifndef XKDE_CORE_BASE_LOG_H_
#define XKDE_CORE_BASE_LOG_H_

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

}  // namespace xkde::log

#endif  // XKDE_CORE_BASE_LOG_H_
