// A section of settings.json: the value that its owner reads, and the owner who is told when the
// file was read again and says something else.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "json/json.h"

namespace causeway::settings {

class AnySection {
 public:
  virtual ~AnySection() = default;

  // Reads what the file says, or the defaults; nothing is in force by that.
  virtual void read(json::ObjectReader& file) = 0;
  // What was read last is in force, and nobody is told: the start.
  virtual void take() = 0;
  // The owner is told when what was read last is something new.
  virtual void tell() = 0;
  // When the file's value takes effect: "at the next start of dockerd". Empty: it is in force.
  virtual const std::string& waits_for() const = 0;
  virtual const std::string& name() const = 0;
};

template <class T>
class Section final : public AnySection {
 public:
  // Takes the section's members out of the file's object; what is absent stays as it is.
  using Read = void (*)(json::ObjectReader& file, T& out);
  // Gives when `now` takes effect; empty: it does already.
  using Changed = std::function<std::string(const T& old, const T& now)>;

  Section(std::string name, Read reader) : name_(std::move(name)), read_(reader) {}

  const T& in_force() const { return in_force_; }
  // What the file said last is in force now: the start that it waited for.
  void take_effect() {
    in_force_ = told_;
    waits_for_.clear();
  }
  void on_change(Changed changed) { changed_ = std::move(changed); }

  void read(json::ObjectReader& file) override {
    draft_ = T{};
    read_(file, draft_);
  }
  void take() override {
    told_ = draft_;
    take_effect();
  }
  void tell() override {
    if (draft_ == told_) return;
    told_ = draft_;
    if (draft_ == in_force_) return waits_for_.clear();
    waits_for_ = changed_ ? changed_(in_force_, draft_) : "at the next start";
    if (waits_for_.empty()) in_force_ = draft_;
  }
  const std::string& waits_for() const override { return waits_for_; }
  const std::string& name() const override { return name_; }

 private:
  const std::string name_;
  const Read read_;
  Changed changed_;
  T in_force_;
  T draft_;
  T told_;
  std::string waits_for_;
};

}  // namespace causeway::settings
