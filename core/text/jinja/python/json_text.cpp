#include "core/text/jinja/python/json_text.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/text/jinja/python/operators.h"
#include "core/text/jinja/python/python_text.h"
#include "core/text/regex/unicode.h"

namespace xkde::jinja {
namespace {

void append_escape(std::string& out, char32_t code) {
  out += fmt::format("\\u{:04x}", static_cast<uint32_t>(code));
}

void append_quoted(std::string& out, std::string_view text, bool is_ascii) {
  constexpr std::string_view kShort = "\"\\\n\r\t\f\b";
  constexpr std::string_view kLetters = "\"\\nrtfb";
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = unicode::next(text, at);
    const size_t known = c < 0x80 ? kShort.find(static_cast<char>(c)) : std::string_view::npos;
    if (known != std::string_view::npos) {
      out += '\\';
      out += kLetters[known];
    } else if (c < 0x20 || (is_ascii && c >= 0x7F && c < 0x10000)) {
      append_escape(out, c);
    } else if (is_ascii && c >= 0x10000) {
      append_escape(out, 0xD800 + ((c - 0x10000) >> 10));
      append_escape(out, 0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
      out += text.substr(begin, at - begin);
    }
  }
  out += '"';
}

class Writer {
 public:
  Writer(Context& context, const JsonStyle& style) : context_(context), style_(style) {}

  void write(const Value& value) {
    context_.spend();
    const size_t before = out_.size();
    if (value.is_text()) {
      append_quoted(out_, value.text(), style_.is_ascii);
    } else if (value.is<None>()) {
      out_ += "null";
    } else if (const bool* flag = value.as<bool>()) {
      out_ += *flag ? "true" : "false";
    } else if (value.is<int64_t>()) {
      append_text(context_, out_, value);
    } else if (const double* real = value.as<double>()) {
      out_ += std::isnan(*real)   ? "NaN"
              : std::isinf(*real) ? (*real > 0 ? "Infinity" : "-Infinity")
                                  : python::repr(*real);
    } else if (value.dict() != nullptr) {
      write_dict(*value.dict());
      return;
    } else {
      write_list(value);
      return;
    }
    context_.make(out_.size() - before);
  }

  std::string take() { return std::move(out_); }

 private:
  void break_line() {
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += *style_.indent;
    context_.make(1 + static_cast<size_t>(level_) * style_.indent->size());
  }

  void write_list(const Value& value) {
    const Sequence* sequence = value.sequence();
    const bool is_known = sequence != nullptr && (sequence->kind == Sequence::Kind::kList ||
                                                  sequence->kind == Sequence::Kind::kTuple);
    if (!is_known)
      context_.refuse(concat("tojson: expected a value that JSON knows, ", found(value)));
    out_ += '[';
    ++level_;
    for (size_t i = 0; i < sequence->items.size(); ++i) {
      if (i > 0) out_ += style_.between;
      break_line();
      write(sequence->items[i]);
    }
    --level_;
    if (!sequence->items.empty()) break_line();
    out_ += ']';
  }

  void write_key(const Value& key) {
    if (key.is_text()) {
      append_quoted(out_, key.text(), style_.is_ascii);
      return;
    }
    if (!key.is<int64_t>())
      context_.refuse(concat("tojson: expected keys that are texts, ", found(key)));
    out_ += '"';
    append_text(context_, out_, key);
    out_ += '"';
  }

  void write_dict(const Dict& dict) {
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sorts_keys) {
      std::stable_sort(entries.begin(), entries.end(), [this](const auto* a, const auto* b) {
        return order(context_, a->first, b->first) < 0;
      });
    }
    out_ += '{';
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += style_.between;
      break_line();
      write_key(entries[i]->first);
      out_ += style_.behind_key;
      write(entries[i]->second);
    }
    --level_;
    if (!entries.empty()) break_line();
    out_ += '}';
  }

  Context& context_;
  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string json_text(Context& context, const Value& value, const JsonStyle& style) {
  Writer writer(context, style);
  writer.write(value);
  return writer.take();
}

}  // namespace xkde::jinja
