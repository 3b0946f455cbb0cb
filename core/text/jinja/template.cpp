#include "core/text/jinja/template.h"

#include <utility>

#include "core/text/jinja/parser.h"
#include "core/text/jinja/renderer.h"

namespace xkde::jinja {

Template::Template(Syntax syntax, std::string name)
    : syntax_(std::make_shared<const Syntax>(std::move(syntax))), name_(std::move(name)) {}

Template Template::parse(std::string_view source, const std::string& name) {
  return {jinja::parse(source, name), name};
}

Rendered Template::render(const Variables& variables, const std::optional<Clock>& clock) const {
  Context context(name_, clock);
  Renderer renderer(*syntax_, context, variables);
  return renderer.run();
}

bool Template::has_generation() const noexcept { return syntax_->has_generation; }

}  // namespace xkde::jinja
