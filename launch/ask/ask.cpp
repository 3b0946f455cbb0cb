#include "launch/ask/ask.h"

#include <algorithm>
#include <iostream>
#include <string_view>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/text/regex/unicode.h"
#include "stages/ask/answerer.h"

namespace xkde {
namespace {

constexpr int kTurnsOfATerminal = 8;
constexpr std::string_view kLineHelp =
    "a question            asks it\n"
    "+ question => answer  remembers an edit\n"
    ":lang CODE            language of the questions that follow\n"
    ":facts                what is remembered, the newest last\n"
    ":history              what was asked and answered, and stands before the next question\n"
    ":forget               asks the next question without that\n"
    ":quit                 ends, as does the end of the input\n";

/// "a.b=c" or "a.b~", and not "What is a = b?".
bool sets_a_key(const std::string& word) {
  if (removes_a_key(word)) return true;
  const size_t equals = word.find('=');
  return equals != std::string::npos && equals > 0 &&
         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == equals;
}

/// What was asked and answered so far.
class History {
 public:
  explicit History(int turns) : most_messages_(2 * static_cast<size_t>(turns)) {}

  const std::vector<ChatMessage>& messages() const { return messages_; }
  void add(const std::string& question, const std::string& answer) {
    messages_.push_back({ChatMessage::Role::kUser, question});
    messages_.push_back({ChatMessage::Role::kAssistant, answer});
    while (messages_.size() > most_messages_) drop_oldest();
  }
  void drop_oldest() { messages_.erase(messages_.begin(), messages_.begin() + 2); }
  void clear() { messages_.clear(); }

 private:
  size_t most_messages_;
  std::vector<ChatMessage> messages_;  ///< by turns
};

class Session {
 public:
  Session(const AskCommand& command, int turns, std::ostream& out)
      : out_(out), answerer_(command.asked.options), history_(turns) {}

  /// The answer, then the facts that were shown with their cosines.
  void ask(const std::string& question) {
    const ask::AnswerOptions options;
    const ask::Prompt prompt = prompt_of(question, options);
    const ask::Answer answer = answerer_.answer(prompt, options, [&](std::string_view piece) {
      out_ << piece << std::flush;
      return true;
    });
    out_ << "\n";
    history_.add(question, answer.text);
    for (const auto& [index, fact, cosine] : prompt.found)
      out_ << fmt::format("  {:.2f}  {}\n", cosine, fact.text());
    const ask::FactStore& facts = answerer_.facts();
    if (prompt.found.empty() && answerer_.shown_facts() > 0 && facts.size() > 0)
      out_ << "  no fact (" << facts.condition() << ")\n";
    out_.flush();
  }

  void converse(std::istream& in) {
    out_ << answerer_.facts().size() << " facts; questions in " << answerer_.language().english_name
         << "; :help tells more\n";
    out_.flush();
    for (std::string line; std::getline(in, line);) {
      try {
        if (!obey(line)) break;
      } catch (const DataError& error) {
        out_ << error.what() << "\n";
      } catch (const ConfigError& error) {
        out_ << error.what() << "\n";
      }
      out_.flush();
    }
    XKDE_CHECK(!in.bad(), IoError, "standard input: expected lines, found a read error");
  }

  void save() { answerer_.facts().save(); }

 private:
  /// Earlier turns that leave no room for an answer are forgotten, the oldest first.
  ask::Prompt prompt_of(const std::string& question, const ask::AnswerOptions& options) {
    while (true) {
      ask::Question asked{.messages = history_.messages()};
      asked.messages.push_back({ChatMessage::Role::kUser, question});
      ask::Prompt prompt = answerer_.prompt(asked);
      const bool fits =
          std::ssize(prompt.ids) + options.max_new_tokens <= answerer_.context_length();
      if (fits || history_.messages().empty()) return prompt;
      history_.drop_oldest();
    }
  }

  /// False at the end.
  bool obey(const std::string& line) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) return true;
    if (line == ":quit") return false;
    if (line == ":help") {
      out_ << kLineHelp;
    } else if (line == ":facts") {
      for (const auto& [number, fact, is_added] : answerer_.facts().entries())
        out_ << fact.language << "  " << fact.text() << "\n";
    } else if (line == ":history") {
      for (const ChatMessage& message : history_.messages())
        out_ << (message.role == ChatMessage::Role::kUser ? "> " : "  ") << message.content << "\n";
    } else if (line == ":forget") {
      history_.clear();
    } else if (line.starts_with(":lang ")) {
      answerer_.set_language(language_of(line.substr(6)));
    } else if (line.starts_with(":")) {
      out_ << "expected :lang CODE, :facts, :history, :forget, :help or :quit, found " << line
           << "\n";
    } else if (line.starts_with("+")) {
      remember(line.substr(1));
    } else {
      ask(line);
    }
    return true;
  }

  void remember(const std::string& text) {
    const size_t arrow = text.find("=>");
    const auto trimmed = [](std::string_view part) {
      const size_t begin = part.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) return std::string();
      return std::string(part.substr(begin, part.find_last_not_of(" \t\r") + 1 - begin));
    };
    ask::NewFact fact{.question = {}, .answer = {}, .language = answerer_.language().iso};
    if (arrow != std::string::npos) {
      fact.question = trimmed(std::string_view(text).substr(0, arrow));
      fact.answer = trimmed(std::string_view(text).substr(arrow + 2));
    }
    if (fact.question.empty() || fact.answer.empty()) {
      out_ << "expected + question => answer, found +" << text << "\n";
      return;
    }
    answerer_.facts().add(fact);
    out_ << "remembered, " << answerer_.facts().size() << " facts\n";
  }

  std::ostream& out_;
  ask::Answerer answerer_;
  History history_;
};

}  // namespace

void ask_model(const AskCommand& command, int turns, std::istream& in, std::ostream& out) {
  Session session(command, turns, out);
  if (!command.question.empty()) {
    session.ask(command.question);
  } else {
    session.converse(in);
  }
  session.save();
}

std::string_view AskCommand::summary() const {
  return "what the recipe's model (after its training, which must be done) answers with the edits "
         "of its last evaluate stage before it, or any model (--model) with facts of your own "
         "(--facts), and which facts it was shown; without a question it reads them from standard "
         "input, a line each, and edits to remember";
}

std::vector<std::string_view> AskCommand::examples() const {
  return {
      "xkde_dist ask recipe.yaml --lang fr \"Quelle organisation exploite l'observatoire Marlow "
      "Tide ?\"",
      "xkde_dist ask --model models/SmolLM2-135M-Instruct --facts facts.jsonl --lang de",
      "xkde_dist ask recipe.yaml --memory edits.h5"};
}

void AskCommand::define(CLI::App& app) {
  asked.define(app);
  app.add_option("--history", turns,
                 "earlier questions that stand before a question with their answers, at most "
                 "(default: 8 at a terminal, else none)")
      ->check(CLI::Range(0, 1 << 10))
      ->type_name("N");
}

void AskCommand::check(std::span<const std::string> /*names*/) {
  std::vector<std::string>& words = asked.arguments.words;
  // A word behind the recipe that sets no key is the question.
  const auto is_question = [](const std::string& word) { return !sets_a_key(word); };
  const auto found =
      std::find_if(words.begin() + (asked.has_recipe() ? 1 : 0), words.end(), is_question);
  if (found != words.end()) {
    question = *found;
    XKDE_CHECK(!question.empty(), UsageError, "ask: expected a question, found nothing in quotes");
    words.erase(found);
  }
  asked.check(name());
  if (asked.options.model.empty()) return;
  XKDE_CHECK(!question.ends_with(".yaml"), UsageError,
             "ask: expected a recipe or --model, found both");
  XKDE_CHECK(words.empty(), UsageError, "ask: expected one question beside --model, found ",
             in_quotes(words.empty() ? "" : words.front()));
}

int AskCommand::run() {
  const int fitting = ::isatty(STDIN_FILENO) == 1 ? kTurnsOfATerminal : 0;
  ask_model(*this, turns < 0 ? fitting : turns, std::cin, std::cout);
  return 0;
}

}  // namespace xkde
