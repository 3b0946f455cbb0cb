#include "core/model/encoders/activation.h"

#include <map>
#include <string>

namespace xkde {

Activation activation_of(const JsonPlace& name) {
  static const std::map<std::string, Activation> known = {
      {"relu", Activation::kRelu},         {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh}, {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"silu", Activation::kSilu},         {"swish", Activation::kSilu},
  };
  const auto found = known.find(name.string());
  if (found == known.end()) name.fail("relu, gelu, gelu_new, gelu_pytorch_tanh, silu or swish");
  return found->second;
}

}  // namespace xkde
