#include "core/model/encoders/activation.h"

#include <map>
#include <string>

namespace xkde {

EncoderActivation activation_of(const JsonPlace& name) {
  static const std::map<std::string, EncoderActivation> known = {
      {"relu", EncoderActivation::kRelu},
      {"gelu", EncoderActivation::kGelu},
      {"gelu_new", EncoderActivation::kGeluTanh},
      {"gelu_pytorch_tanh", EncoderActivation::kGeluTanh},
      {"silu", EncoderActivation::kSilu},
      {"swish", EncoderActivation::kSilu},
  };
  const auto found = known.find(name.string());
  if (found == known.end()) name.fail("relu, gelu, gelu_new, gelu_pytorch_tanh, silu or swish");
  return found->second;
}

}  // namespace xkde
