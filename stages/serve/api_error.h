#ifndef XKDE_STAGES_SERVE_API_ERROR_H_
#define XKDE_STAGES_SERVE_API_ERROR_H_

#include <stdexcept>
#include <string>
#include <utility>

#include "core/io/json_file.h"

namespace xkde::serve {

/// The JSON as it is sent. Bytes of a model that are no UTF-8 become U+FFFD.
std::string json_text(const Json& json);

/// What a request is told that cannot be served: a status of HTTP and, as OpenAI's API has it, a
/// JSON object.
class ApiError : public std::runtime_error {
 public:
  /// `code`: a word for programs. `parameter`: the key of the request that is at fault; empty:
  /// none.
  ApiError(int status, std::string code, const std::string& message, std::string parameter = "")
      : std::runtime_error(message),
        status_(status),
        code_(std::move(code)),
        parameter_(std::move(parameter)) {}

  int status() const noexcept { return status_; }
  const std::string& code() const noexcept { return code_; }
  const std::string& parameter() const noexcept { return parameter_; }
  /// {"error": {"message", "type", "param", "code"}}.
  Json json() const;

 private:
  int status_;
  std::string code_, parameter_;
};

}  // namespace xkde::serve

#endif  // XKDE_STAGES_SERVE_API_ERROR_H_
