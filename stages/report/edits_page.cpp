#include "stages/report/edits_page.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/text/regex/unicode.h"
#include "stages/report/edits_page_parts.h"
#include "stages/report/page/line_chart.h"
#include "stages/report/page/page_style.h"

namespace xkde::report {
namespace {

constexpr size_t kRoomForCount = 400;  ///< bytes of what is said of questions left out

/// JSON inside <script>: no markup ends or begins there, and no line ends that JavaScript alone
/// knows. What is replaced stands in texts only, so the JSON means the same.
std::string script_json(const Json& json) {
  constexpr std::pair<std::string_view, std::string_view> kReplaced[] = {{"<", "\\u003c"},
                                                                         {">", "\\u003e"},
                                                                         {"&", "\\u0026"},
                                                                         {"\u2028", "\\u2028"},
                                                                         {"\u2029", "\\u2029"}};
  const std::string plain = json.dump();
  std::string text;
  for (size_t i = 0; i < plain.size();) {
    const auto* found =
        std::find_if(std::begin(kReplaced), std::end(kReplaced), [&](const auto& replaced) {
          return std::string_view(plain).substr(i).starts_with(replaced.first);
        });
    if (found == std::end(kReplaced)) {
      text += plain[i++];
    } else {
      text += found->second;
      i += found->first.size();
    }
  }
  return text;
}

/// The block of JSON. Texts stand in it once, as facts and answers come again and again.
class PageData {
 public:
  /// `most_bytes`: of the block.
  PageData(const RunResults& run, const Evaluation& own, size_t most_bytes)
      : run_(run), most_bytes_(most_bytes) {
    Json evaluations = Json::array();
    for (const Evaluation& one : run.evaluations)
      evaluations.push_back(Json::array({one.stage, one.label}));
    begin_ = "{\"evaluations\":" + script_json(evaluations) +
             ",\n\"own\":" + std::to_string(place_of(own)) + ",\n";
    bytes_ = begin_.size() + std::string_view(kTextsBegin).size() +
             std::string_view(kQuestionsBegin).size() + std::string_view(kEnd).size();
  }

  /// False where the question would make the block too large. Then it is not in it.
  bool add(const std::vector<Told>& answers, const Json& line) {
    const size_t texts = texts_.size(), bytes = bytes_;
    std::string question = script_json(question_json(answers, line));
    bytes_ += question.size() + kBetween.size();
    if (bytes_ > most_bytes_) {
      texts_.resize(texts);
      bytes_ = bytes;
      return false;
    }
    questions_.push_back(std::move(question));
    return true;
  }

  std::string json() const {
    return begin_ + kTextsBegin + fmt::format("{}", fmt::join(texts_, kBetween)) + kQuestionsBegin +
           fmt::format("{}", fmt::join(questions_, kBetween)) + kEnd;
  }

 private:
  static constexpr std::string_view kBetween = ",\n";
  static constexpr const char* kTextsBegin = "\"texts\":[\n";
  static constexpr const char* kQuestionsBegin = "],\n\"questions\":[\n";
  static constexpr const char* kEnd = "]}\n";

  int64_t place_of(const Evaluation& evaluation) const {
    return &evaluation - run_.evaluations.data();
  }

  size_t text(std::string_view value) {
    const auto [place, is_new] = places_.emplace(value, texts_.size());
    if (is_new) {
      texts_.push_back(script_json(Json(std::string(value))));
      bytes_ += texts_.back().size() + kBetween.size();
    }
    return place->second;
  }
  size_t text_at(const Json& line, const char* key) {
    return text(unicode::strip(line.at(key).get_ref<const std::string&>()));
  }

  /// `line`: of the evaluation, or what it says of the moment right after the edit.
  Json told_json(const Evaluation& evaluation, const Json& line) {
    Json told{{"by", place_of(evaluation)},
              {"tokens", text(fmt::format("{:.2f}", line.at("score").get<double>()))},
              {"right", is_right(line)}};
    if (line.contains("answer")) told["answer"] = text_at(line, "answer");
    if (!line.contains("free")) return told;
    told["free"] = Json::array();
    for (const auto& [context, one] : line["free"].items()) {
      told["free"].push_back(Json::array(
          {text(context), text_at(one, "answer"), text(scores_text(one)), is_right_answer(one)}));
    }
    return told;
  }

  Json question_json(const std::vector<Told>& answers, const Json& line) {
    Json question{
        {"record", line.at("record").get<int64_t>()}, {"from", text_at(line, "edit_language")},
        {"to", text_at(line, "test_language")},       {"metric", text_at(line, "metric")},
        {"probe", line.at("probe").get<int64_t>()},   {"mode", text(mode_text(line))}};
    if (line.contains("question")) {
      question["fact"] = text_at(line, "fact");
      question["question"] = text_at(line, "question");
      question["target"] = text_at(line, "target");
      if (is_negated(line)) question["negated"] = true;
    } else {
      question["prompt"] = text_at(line, "prompt");
    }
    if (line.contains("age")) question["age"] = line["age"].get<int64_t>();
    question["told"] = Json::array();
    for (const Told& told : answers) {
      if (told.line.contains("at_once")) {
        Json at_once = told_json(*told.evaluation, told.line["at_once"]);
        at_once["at_once"] = true;
        question["told"].push_back(std::move(at_once));
      }
      question["told"].push_back(told_json(*told.evaluation, told.line));
    }
    return question;
  }

  const RunResults& run_;
  size_t most_bytes_;
  std::string begin_;
  size_t bytes_ = 0;
  std::vector<std::string> texts_;        ///< as JSON
  std::map<std::string, size_t> places_;  ///< of texts
  std::vector<std::string> questions_;    ///< as JSON
};

/// A question of the page's own evaluation, and what all told.
struct OwnQuestion {
  const Told* own = nullptr;
  const std::vector<Told>* answers = nullptr;
};

std::vector<OwnQuestion> own_questions(const AskedQuestions& asked, const Evaluation& evaluation) {
  std::vector<OwnQuestion> questions;
  for (const std::vector<Told>& answers : asked.questions) {
    for (const Told& told : answers) {
      if (told.evaluation != &evaluation) continue;
      questions.push_back({&told, &answers});
      break;
    }
  }
  std::sort(questions.begin(), questions.end(), [](const OwnQuestion& a, const OwnQuestion& b) {
    return a.own->number < b.own->number;
  });
  return questions;
}

std::string page_title(const Evaluation& evaluation) {
  if (evaluation.rows.empty()) return evaluation.stage;
  const EvalScope& scope = evaluation.rows.front().scope;
  return evaluation.stage + ": " + scope.benchmark + ", " + scope.mode;
}

}  // namespace

std::string edits_page_name(const Evaluation& evaluation) { return evaluation.stage + ".html"; }

std::string edits_page(const RunResults& run, const Evaluation& evaluation,
                       const AskedQuestions& asked, size_t most_bytes) {
  const std::string name = run.name + ": " + evaluation.label;
  std::string begin =
      page_head(name, kEditsPageHead) +
      "<body>\n<p class=\"sub\"><a href=\"../report.html\">report.html</a></p>\n" + "<h1>" +
      escaped(name) + "</h1>\n<p class=\"sub\">" + escaped(page_title(evaluation)) +
      ". Right is what the first scorer calls right in every context, or, without "
      "free answers, all tokens; of locality, what is said as before the edit.</p>\n";
  std::string end(kEditsPageBody);
  end += "<script type=\"application/json\" id=\"data\">";
  const std::string script =
      "</script>\n<script>" + std::string(kEditsPageScript) + "</script>\n</body></html>\n";
  const size_t fixed = begin.size() + end.size() + script.size() + kRoomForCount;
  PageData data(run, evaluation, most_bytes > fixed ? most_bytes - fixed : 0);
  int64_t count = 0;
  for (const OwnQuestion& question : own_questions(asked, evaluation)) {
    if (!data.add(*question.answers, question.own->line)) break;
    ++count;
  }
  const int64_t all = asked.counts.at(static_cast<size_t>(&evaluation - run.evaluations.data()));
  if (count < all) {
    begin += fmt::format(
        "<p id=\"left-out\">The first {} of {} questions stand here, {} are left out, so that the "
        "page stays small. <code>xkde_dist show RUN --limit 0</code> prints all.</p>\n",
        count, all, all - count);
  }
  return begin + end + data.json() + script;
}

}  // namespace xkde::report
