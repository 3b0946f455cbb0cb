#ifndef XKDE_CORE_TEXT_JINJA_RENDERER_H_
#define XKDE_CORE_TEXT_JINJA_RENDERER_H_

#include <string>

#include "core/text/jinja/evaluator.h"
#include "core/text/jinja/template.h"

namespace xkde::jinja {

/// Runs the statements of one template once.
class Renderer final : public Evaluator {
 public:
  using Evaluator::Evaluator;
  Rendered run();

 private:
  enum class Flow { kNext, kBreak, kContinue };

  Flow run(const Block& block);
  Flow run(const Statement& statement);
  Flow run_if(const Statement& statement);
  void run_for(const Statement& statement);
  void run_with(const Statement& statement);
  void run_call(const Statement& statement);
  void run_generation(const Statement& statement);
  void assign(const Target& target, const Value& value);
  /// What a body writes, in a scope of its own.
  std::string captured(const Statement& statement);
  Value macro_of(const Statement& statement, std::string name);
  Value call_macro(const Callable& macro, const Arguments& arguments) override;

  std::string* out_ = nullptr;
  std::string page_;  ///< what the template itself writes
  Rendered rendered_;
};

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_RENDERER_H_
