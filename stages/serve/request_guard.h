#ifndef XKDE_STAGES_SERVE_REQUEST_GUARD_H_
#define XKDE_STAGES_SERVE_REQUEST_GUARD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stages/serve/api_error.h"

namespace xkde::serve {

/// 32 hexadecimal digits that nobody can guess. Throws InternalError where the system has no random
/// numbers.
std::string random_token();

/// What a request says of itself before its body.
struct RequestHead {
  std::string_view path = {};
  std::string_view host = {};           ///< the header Host; empty: none, or several
  std::string_view authorization = {};  ///< the header
  std::string_view query_token = {};    ///< "?token=" of the address
  bool is_chunked = false;              ///< has the header Transfer-Encoding
  bool is_packed = false;               ///< has the header Content-Encoding
  bool is_ranged = false;               ///< has the header Range
  bool has_no_end = false;              ///< a body is read, and nothing says how long it is
  uint64_t content_length = 0;
};

/// Decides who may ask, before a body is read.
class RequestGuard {
 public:
  /// A body longer than this is not even read to be thrown away.
  static constexpr uint64_t kMostReadBytes = uint64_t{1} << 26;

  /// `host`: the address that is listened to.
  RequestGuard(std::string token, std::string host);

  /// Nothing: the request may go on. A page of another site cannot know the token, and a name that
  /// leads here (DNS rebinding) is no name of this server.
  std::optional<ApiError> refusal(const RequestHead& head) const;

 private:
  bool is_own_host(std::string_view header) const;
  bool has_token(const RequestHead& head) const;

  std::string token_, host_;
};

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_REQUEST_GUARD_H_
