#include "stages/recipe/yaml_reader.h"

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "stages/recipe/yaml_text.h"

namespace xkde::recipe {
namespace {

using Kind = YamlNode::Kind;

/// A finished value with what it costs: nodes and levels, aliases expanded.
struct Built {
  YamlPtr node;
  size_t nodes = 1;
  size_t levels = 0;
};

/// Builds the tree from yaml-cpp's events. YAML::Load would resolve aliases to a graph that may
/// contain itself, keep repeated keys silently and lose every tag; the events have all of it.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, RecipeErrors& errors, const YamlLimits& limits)
      : text_(text), places_(text), errors_(errors), limits_(limits) {}

  YamlPtr root() const { return root_; }

  /// Adds an error and gives up.
  [[noreturn]] void fail(size_t offset, const std::string& what) {
    errors_.add(places_.at(offset), path(), what);
    errors_.throw_if_any();
    throw InternalError("recipe: expected at least one error, found none");
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) fail(offset_of(mark), "expected one document, found a second one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    // yaml-cpp marks a missing value where the next token is.
    node.place = stack_.empty()  ? places_.at(offset_of(mark))
                 : top().has_key ? top().key_place
                                 : top().node->place;
    finish(std::move(node), mark, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const size_t offset = offset_of(mark);
    refuse_tag(offset, tag);
    if (!quotes_are_closed(text_, offset)) fail(offset, "expected a closing quote, found none");
    if (value.size() > limits_.max_text_bytes) {
      fail(offset, concat("expected a text of at most ", limits_.max_text_bytes, " bytes, found ",
                          value.size()));
    }
    if (value.find('\0') != std::string::npos)
      fail(offset, "expected printable text, found the character NUL");
    YamlNode node;
    node.kind = tag == "!" ? Kind::kQuoted : Kind::kPlain;
    node.place = places_.at(offset);
    node.text = value;
    finish(std::move(node), mark, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Kind::kList, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Kind::kMap, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const size_t offset = offset_of(mark);
    if (++aliases_ > limits_.max_aliases)
      fail(offset, concat("expected at most ", limits_.max_aliases, " aliases, found more"));
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      fail(offset, "expected a finished value, found an alias inside its own anchor");
    if (stack_.size() + found->second.levels > limits_.max_depth) fail_depth(offset);
    attach(found->second, offset);
  }

 private:
  /// A list or mapping whose end was not seen yet.
  struct Open {
    std::shared_ptr<YamlNode> node;
    YAML::anchor_t anchor = 0;
    size_t offset = 0;
    size_t nodes = 1;
    size_t levels = 1;
    bool has_key = false;
    std::string key;
    Place key_place;
    std::unordered_map<std::string, Place> keys;
  };

  Open& top() { return stack_.back(); }
  static size_t offset_of(const YAML::Mark& mark) {
    return mark.pos < 0 ? 0 : static_cast<size_t>(mark.pos);
  }

  std::string path() const {
    std::string text;
    for (const Open& open : stack_) {
      if (open.node->kind == Kind::kMap && !open.has_key) continue;
      if (!text.empty()) text += '.';
      text += open.node->kind == Kind::kMap ? open.key : std::to_string(open.node->items.size());
    }
    return text;
  }

  [[noreturn]] void fail_depth(size_t offset) {
    fail(offset, concat("expected at most ", limits_.max_depth, " levels, found more"));
  }

  void refuse_tag(size_t offset, const std::string& tag) {
    // "?" is a plain value without a tag, "!" a quoted one or one with the tag "!".
    const bool is_tagged =
        !tag.empty() && tag != "?" && (tag != "!" || begins_with_tag(text_, offset));
    if (is_tagged) {
      errors_.add(places_.at(offset), path(),
                  "expected a value without a tag, found " + printable(tag));
    }
  }

  void open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const size_t offset = offset_of(mark);
    if (!stack_.empty() && top().node->kind == Kind::kMap && !top().has_key)
      fail(offset, "expected a text as key, found a list or mapping");
    if (stack_.size() + 1 > limits_.max_depth) fail_depth(offset);
    refuse_tag(offset, tag);
    Open opened;
    opened.node = std::make_shared<YamlNode>();
    opened.node->kind = kind;
    opened.node->place = places_.at(offset);
    opened.anchor = anchor;
    opened.offset = offset;
    stack_.push_back(std::move(opened));
  }

  void close() {
    const Open closed = std::move(top());
    stack_.pop_back();
    const Built built{closed.node, closed.nodes, closed.levels};
    if (closed.anchor != 0) anchors_[closed.anchor] = built;
    attach(built, closed.offset);
  }

  void finish(YamlNode node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    const Built built{std::make_shared<const YamlNode>(std::move(node)), 1, 0};
    if (anchor != 0) anchors_[anchor] = built;
    attach(built, offset_of(mark));
  }

  void attach(const Built& built, size_t offset) {
    if (stack_.empty()) {
      root_ = built.node;
      return;
    }
    Open& open = top();
    if (open.node->kind == Kind::kMap && !open.has_key) {
      begin_entry(*built.node, offset);
      return;
    }
    open.nodes += built.nodes;
    open.levels = std::max(open.levels, built.levels + 1);
    if (open.nodes > limits_.max_nodes)
      fail(offset, concat("expected at most ", limits_.max_nodes, " values, found more"));
    if (open.node->kind == Kind::kList) {
      open.node->items.push_back(built.node);
      return;
    }
    end_entry(built.node);
    open.has_key = false;
  }

  void begin_entry(const YamlNode& key, size_t offset) {
    if (!key.is_scalar()) fail(offset, "expected a text as key, found " + describe(key));
    top().has_key = true;
    top().key = key.text;
    top().key_place = places_.at(offset);
  }

  void end_entry(const YamlPtr& value) {
    Open& open = top();
    if (open.key == "<<") {
      errors_.add(open.key_place, path(),
                  "expected a key, found a merge key, which is not supported; write the keys out");
      return;
    }
    const auto [first, is_new] = open.keys.emplace(open.key, open.key_place);
    if (!is_new) {
      errors_.add(open.key_place, path(),
                  concat("expected each key once, found it again (first in line ",
                         first->second.line, ")"));
      return;
    }
    open.node->entries.push_back({open.key, open.key_place, value});
  }

  std::string_view text_;
  PlaceCounter places_;
  RecipeErrors& errors_;
  YamlLimits limits_;
  std::vector<Open> stack_;
  std::unordered_map<YAML::anchor_t, Built> anchors_;
  size_t aliases_ = 0;
  YamlPtr root_;
};

/// What yaml-cpp's shorter messages mean to the writer of a recipe.
std::string explained(const std::string& message) {
  if (message == YAML::ErrorMsg::MAP_VALUE) {
    return message +
           " (a text that contains ': ' or ends in ':' needs quotes; keys of one mapping begin in "
           "one column)";
  }
  if (message == YAML::ErrorMsg::UNKNOWN_TOKEN)
    return message + " (a text that begins with this character needs quotes)";
  return message;
}

/// The tree of a text, or null when it holds no document.
YamlPtr build_tree(std::string_view text, RecipeErrors& errors, const YamlLimits& limits) {
  TreeBuilder builder(text, errors, limits);
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    // The second call only looks whether something follows the first document.
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& error) {
    builder.fail(error.mark.pos < 0 ? 0 : static_cast<size_t>(error.mark.pos),
                 "expected valid YAML, found " + explained(printable(error.msg, 200)));
  }
  return builder.root();
}

YamlPtr with_place(const YamlNode& node, Place place) {
  auto copy = std::make_shared<YamlNode>(node);
  copy->place = place;
  for (YamlPtr& item : copy->items) item = with_place(*item, place);
  for (YamlNode::Entry& entry : copy->entries)
    entry = {entry.key, place, with_place(*entry.value, place)};
  return copy;
}

}  // namespace

const YamlNode::Entry* YamlNode::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [key](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kPlain:
      return printable(node.text);
    case Kind::kQuoted:
      return concat('"', printable(node.text), '"');
    case Kind::kList:
      return concat("a list of ", node.items.size());
    case Kind::kMap:
      return "a mapping";
  }
  throw InternalError("recipe: expected a kind of value, found none");
}

YamlPtr read_yaml(std::string_view text, RecipeErrors& errors, const YamlLimits& limits) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto fail = [&errors](Place place, const std::string& what) {
    errors.add(place, "", what);
    errors.throw_if_any();
  };
  if (text.size() > limits.max_bytes) {
    fail({1, 1}, concat("expected at most ", limits.max_bytes, " bytes, found ", text.size()));
  }
  const TextFault fault = find_text_fault(text);
  if (!fault.what.empty()) fail(PlaceCounter(text).at(fault.offset), fault.what);
  YamlPtr root = build_tree(text, errors, limits);
  if (!root || root->kind == Kind::kNull) fail({1, 1}, "expected a recipe, found an empty file");
  if (root->kind != Kind::kMap) {
    fail(root->place, "expected a mapping (key: value) at the top level, found " + describe(*root));
  }
  return root;
}

YamlPtr read_yaml_value(std::string_view text, Place place, const std::string& path,
                        RecipeErrors& errors) {
  auto node = std::make_shared<YamlNode>();
  node->place = place;
  if (text.empty() || text == "~" || text == "null") return node;
  const char first = text.front();
  const TextFault fault = find_text_fault(text);
  if (!fault.what.empty()) {
    errors.add(place, path, fault.what);
    return node;
  }
  if (first == '{') {
    errors.add(place, path, "expected a scalar or a list, found a mapping");
    return node;
  }
  if (first != '[' && first != '"' && first != '\'') {
    node->kind = Kind::kPlain;
    node->text = text;
    return node;
  }
  // Places inside a value of the command line mean nothing to the reader: keep the texts only.
  RecipeErrors own("value");
  try {
    const YamlPtr value = build_tree(text, own, {});
    own.throw_if_any();
    return with_place(*value, place);
  } catch (const ConfigError& error) {
    errors.add(place, path,
               concat("expected a scalar or a list, found ", printable(text), " (",
                      printable(error.what(), 200), ")"));
    return node;
  }
}

std::string read_recipe_text(const std::filesystem::path& path, size_t max_bytes) {
  try {
    const auto limit = static_cast<int64_t>(max_bytes);
    const std::optional<std::string> text = text_if_there(path, FileOrigin::kInput, limit);
    XKDE_CHECK(text, MissingInputError, path.string(), ": expected a recipe file, found none");
    return *text;
  } catch (const DataError&) {
    throw ConfigError(
        concat(path.string(), ":1:1: expected at most ", max_bytes, " bytes, found more"));
  }
}

}  // namespace xkde::recipe
