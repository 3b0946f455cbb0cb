#ifndef XKDE_CORE_EDITING_EDITABLE_MODEL_H_
#define XKDE_CORE_EDITING_EDITABLE_MODEL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/decoder.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// A fact to be written, in one language.
struct EditRequest {
  int64_t record = 0;    ///< position in its benchmark
  std::string language;  ///< ISO code
  std::string prompt;    ///< the question
  std::string subject;   ///< what it is about; stands in the prompt
  std::string target;    ///< the new answer
};

/// A model as editors see it: whole on this rank. All references outlive it.
struct EditableModel {
  const Decoder& decoder;
  const Tokenizer& tokenizer;
  /// Around prompts; null: none, texts stand as they are.
  const ChatTemplate* chat_template = nullptr;
  /// Decoder::parameters of a unit, in the compute dtype. Editors write into these tensors.
  UnitWeights weights;
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  std::optional<int64_t> end_id = {};  ///< of a text; what locft_bf trains behind a target
};

/// Those who edit together. Every member makes the same calls in the same order.
class Team {
 public:
  virtual ~Team() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// `tensor`, fp32 or fp64 and contiguous, becomes the sum over the members, equal bit for bit on
  /// all.
  virtual void add_up(at::Tensor& tensor) = 0;
};

/// Who edits alone.
class Solo final : public Team {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void add_up(at::Tensor& /*tensor*/) override {}
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_EDITABLE_MODEL_H_
