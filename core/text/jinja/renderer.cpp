#include "core/text/jinja/renderer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/base/error.h"
#include "core/text/jinja/python/operators.h"

namespace xkde::jinja {
namespace {

using Kind = Statement::Kind;

}  // namespace

Rendered Renderer::run() {
  out_ = &page_;
  run(syntax_.body);
  rendered_.text = std::move(page_);
  return std::move(rendered_);
}

Renderer::Flow Renderer::run(const Block& block) {
  for (const Statement& statement : block) {
    const Flow flow = run(statement);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Renderer::Flow Renderer::run(const Statement& statement) {
  const Depth depth(*this);
  context_.spend();
  context_.line = statement.line;
  switch (statement.kind) {
    case Kind::kData:
      context_.make(statement.data.size());
      *out_ += statement.data;
      break;
    case Kind::kPrint:
      append_text(context_, *out_, evaluate(*statement.value));
      break;
    case Kind::kSet:
      assign(statement.target, evaluate(*statement.value));
      break;
    case Kind::kSetBlock: {
      Value text(captured(statement));
      assign(statement.target, statement.value ? filtered(*statement.value, text) : text);
      break;
    }
    case Kind::kFor:
      run_for(statement);
      break;
    case Kind::kIf:
      return run_if(statement);
    case Kind::kMacro:
      scope_->set(statement.symbol, macro_of(statement, *statement.symbol));
      break;
    case Kind::kCall:
      run_call(statement);
      break;
    case Kind::kFilterBlock:
      append_text(context_, *out_, filtered(*statement.value, Value(captured(statement))));
      break;
    case Kind::kWith:
      run_with(statement);
      break;
    case Kind::kGeneration:
      run_generation(statement);
      break;
    case Kind::kBreak:
      return Flow::kBreak;
    case Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Renderer::Flow Renderer::run_if(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (!branch.condition || is_true(evaluate(*branch.condition))) return run(branch.body);
  }
  return Flow::kNext;
}

void Renderer::run_for(const Statement& statement) {
  auto loop = std::make_shared<LoopState>();
  loop->items = items_of(context_, evaluate(*statement.value));
  Scope* const around = scope_;
  if (statement.condition) {
    loop->passes = [&](const Value& item) {
      Scope* const here = std::exchange(scope_, &scopes_.open(around));
      assign(statement.target, item);
      const bool passes = is_true(evaluate(*statement.condition));
      scopes_.close(*std::exchange(scope_, here));
      return passes;
    };
  }
  const Symbol name = syntax_.symbols.find("loop");
  scope_ = &scopes_.open(around);
  for (loop->index = 0; loop->reaches(loop->index); ++loop->index) {
    context_.spend();
    scope_->values.clear();
    assign(statement.target, *loop->passed[loop->index]);
    if (name != nullptr) scope_->set(name, loop);
    if (run(statement.body) == Flow::kBreak) break;
  }
  scopes_.close(*std::exchange(scope_, around));
  loop->passes = nullptr;  // it looks into this call
  const bool had_none = loop->passed.empty();
  if (!had_none || statement.otherwise.empty()) return;
  scope_ = &scopes_.open(around);
  run(statement.otherwise);
  scopes_.close(*std::exchange(scope_, around));
}

void Renderer::run_with(const Statement& statement) {
  std::vector<Value> values;
  for (const auto& [target, value] : statement.assignments) values.push_back(evaluate(*value));
  Scope* const around = std::exchange(scope_, &scopes_.open(scope_));
  for (size_t i = 0; i < values.size(); ++i) assign(statement.assignments[i].first, values[i]);
  run(statement.body);
  scopes_.close(*std::exchange(scope_, around));
}

void Renderer::run_call(const Statement& statement) {
  const Expression& call_site = *statement.value;
  const Value function = evaluate(*call_site.parts[0]);
  Arguments arguments;
  for (size_t i = 1; i < call_site.parts.size(); ++i)
    arguments.positional.push_back(evaluate(*call_site.parts[i]));
  for (const auto& [name, value] : call_site.named)
    arguments.named.emplace_back(*name, evaluate(*value));
  const auto* callable = function.as<std::shared_ptr<const Callable>>();
  if (callable == nullptr || (*callable)->kind != Callable::Kind::kMacro)
    context_.refuse(concat("expected a macro after {% call, ", found(function)));
  arguments.named.emplace_back("caller", macro_of(statement, "caller"));
  append_text(context_, *out_, call(function, arguments));
}

void Renderer::run_generation(const Statement& statement) {
  if (out_ != &page_)
    context_.refuse(
        "expected {% generation %} outside of macros and of blocks whose text is kept, "
        "found it inside");
  const size_t begin = page_.size();
  Scope* const around = std::exchange(scope_, &scopes_.open(scope_));
  run(statement.body);
  scopes_.close(*std::exchange(scope_, around));
  rendered_.generated.emplace_back(begin, page_.size());
}

void Renderer::assign(const Target& target, const Value& value) {
  if (!target.parts.empty()) {
    const SequencePtr values = items_of(context_, value);
    if (values->items.size() != target.parts.size())
      context_.refuse(concat("expected ", target.parts.size(), " values for as many names, found ",
                             values->items.size()));
    for (size_t i = 0; i < target.parts.size(); ++i) assign(target.parts[i], values->items[i]);
    return;
  }
  if (target.attribute == nullptr) {
    scope_->set(target.name, value);
    return;
  }
  const Value* owner = scope_->find(target.name);
  Namespace* const* names = owner == nullptr ? nullptr : owner->as<Namespace*>();
  if (names == nullptr)
    context_.refuse(concat("expected a namespace, found \"", *target.name, "\", which is none"));
  if (target.attribute->starts_with('_'))
    context_.refuse(
        concat("namespace: expected a name that does not begin with _, found ", *target.attribute));
  for (auto& [name, old] : (*names)->names) {
    if (name == *target.attribute) {
      old = value;
      return;
    }
  }
  (*names)->names.emplace_back(*target.attribute, value);
}

std::string Renderer::captured(const Statement& statement) {
  std::string text;
  std::string* const out = std::exchange(out_, &text);
  Scope* const around = std::exchange(scope_, &scopes_.open(scope_));
  run(statement.body);
  scopes_.close(*std::exchange(scope_, around));
  out_ = out;
  return text;
}

Value Renderer::macro_of(const Statement& statement, std::string name) {
  auto macro = std::make_shared<Callable>();
  macro->kind = Callable::Kind::kMacro;
  macro->name = std::move(name);
  macro->macro = &statement;
  macro->around = scope_;
  for (Scope* scope = scope_; scope != nullptr; scope = scope->parent) scope->is_kept = true;
  return std::shared_ptr<const Callable>(std::move(macro));
}

Value Renderer::call_macro(const Callable& macro, const Arguments& arguments) {
  const Depth depth(*this);
  const std::vector<Parameter>& parameters = macro.macro->parameters;
  const std::string what = concat("macro ", macro.name);
  if (arguments.positional.size() > parameters.size())
    context_.refuse(concat(what, ": expected at most ", parameters.size(), " arguments, found ",
                           arguments.positional.size()));
  Scope& own = scopes_.open(macro.around);
  for (const auto& [name, value] : arguments.named) {
    const Symbol symbol = syntax_.symbols.find(name);
    bool is_known = name == "caller";
    for (size_t i = arguments.positional.size(); i < parameters.size(); ++i)
      is_known |= parameters[i].name == symbol;
    if (!is_known)
      context_.refuse(
          concat(what, ": expected arguments that it has, each once, found \"", name, "\""));
    if (symbol != nullptr) own.set(symbol, value);
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i)
    own.set(parameters[i].name, arguments.positional[i]);
  const int line = context_.line;
  Scope* const around = std::exchange(scope_, &own);
  std::string text;
  std::string* const out = std::exchange(out_, &text);
  for (size_t i = arguments.positional.size(); i < parameters.size(); ++i) {
    const bool is_given = std::any_of(own.values.begin(), own.values.end(), [&](const auto& entry) {
      return entry.first == parameters[i].name;
    });
    if (is_given) continue;
    const ExpressionPtr& fallback = parameters[i].fallback;
    own.set(parameters[i].name,
            fallback ? evaluate(*fallback) : Value(Undefined{parameters[i].name}));
  }
  run(macro.macro->body);
  out_ = out;
  scopes_.close(*std::exchange(scope_, around));
  context_.line = line;
  return Value(std::move(text));
}

}  // namespace xkde::jinja
