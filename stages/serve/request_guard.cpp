#include "stages/serve/request_guard.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/base/error.h"

namespace xkde::serve {
namespace {

constexpr std::string_view kBearer = "Bearer ";

/// Takes the same time wherever they differ.
bool equal_in_constant_time(std::string_view given, std::string_view token) {
  return given.size() == token.size() &&
         CRYPTO_memcmp(given.data(), token.data(), token.size()) == 0;
}

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return small;
}

/// "localhost" of "LOCALHOST:80", "::1" of "[::1]:80".
std::string name_in(std::string_view header) {
  if (header.starts_with('[')) return lower(header.substr(1, header.find(']') - 1));
  return lower(header.substr(0, header.find(':')));
}

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

/// Listens to every address of the machine.
bool is_any(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace

std::string random_token() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<unsigned char> bytes(16);
  XKDE_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, InternalError,
             "serve: expected random bytes for the token, found none");
  std::string token;
  for (const unsigned char byte : bytes) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 15];
  }
  return token;
}

RequestGuard::RequestGuard(std::string token, std::string host)
    : token_(std::move(token)), host_(lower(host)) {}

bool RequestGuard::is_own_host(std::string_view header) const {
  const std::string name = name_in(header);
  if (name.empty()) return false;
  if (name == "localhost" || name == "127.0.0.1" || name == "::1" || name == host_) return true;
  // Whoever is called by a number was not led here by a name.
  return is_any(host_) && is_address(name);
}

bool RequestGuard::has_token(const RequestHead& head) const {
  // Only the page is opened by its address alone; all else is asked by programs.
  if (head.path == "/" && !head.query_token.empty())
    return equal_in_constant_time(head.query_token, token_);
  if (!head.authorization.starts_with(kBearer)) return false;
  return equal_in_constant_time(head.authorization.substr(kBearer.size()), token_);
}

std::optional<ApiError> RequestGuard::refusal(const RequestHead& head) const {
  if (!is_own_host(head.host)) {
    return ApiError(403, "foreign_host",
                    "Host: expected localhost, 127.0.0.1, [::1] or the address of --host, found "
                    "another name or none");
  }
  if (!has_token(head)) {
    return ApiError(401, "invalid_api_key",
                    "Authorization: expected Bearer and the token of the address that xkde_dist "
                    "serve printed, found another or none");
  }
  if (head.is_chunked) {
    return ApiError(411, "length_required",
                    "Transfer-Encoding: expected a body with a Content-Length, found parts");
  }
  // Such a body is read until the client hangs up, whatever it takes.
  if (head.has_no_end) {
    return ApiError(411, "length_required",
                    "Content-Length: expected the length of the body, found none");
  }
  // A short header could ask for one answer a thousand times.
  if (head.is_ranged) {
    return ApiError(416, "unsupported_range",
                    "Range: expected a request for the whole answer, found one for parts");
  }
  // A small body could unpack to one of any size.
  if (head.is_packed) {
    return ApiError(415, "unsupported_encoding",
                    "Content-Encoding: expected a body as it is, found a packed one");
  }
  if (head.content_length > kMostReadBytes) {
    return ApiError(
        413, "request_too_large",
        concat("body: expected at most ", kMostReadBytes, " bytes, found ", head.content_length));
  }
  return std::nullopt;
}

}  // namespace xkde::serve
