#include "stages/serve/api_error.h"

namespace xkde::serve {

std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ApiError::json() const {
  Json error{{"message", what()},
             {"type", status_ < 500 ? "invalid_request_error" : "server_error"},
             {"param", nullptr},
             {"code", code_}};
  if (!parameter_.empty()) error["param"] = parameter_;
  return {{"error", error}};
}

}  // namespace xkde::serve
