"""Seeds bugs, one at a time, in a copy of obs-core and obs-gpu, and requires that the loom model named beside each fails on it.

Run by `.ci/loom seeds`, which sets the flags. The last line says how many were found; all must be.
"""

import os
import pathlib
import shutil
import subprocess
import sys

# File, what stands there, what a mistake would have put there, the model that must see it.
OF_CORE = [
    (
        "engine/cells.rs",
        "cell.fetch_add(by, Ordering::Relaxed);",
        "cell.store(cell.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);",
        "shards::a_shard_that_nobody_owns_is_exact",
    ),
    (
        "engine/cells.rs",
        "if owned {\n            cell.store((f64::from_bits(old)",
        "if owned || true {\n            cell.store((f64::from_bits(old)",
        "shards::floating_point_sums_that_threads_share_are_exact",
    ),
    (
        "engine/shards.rs",
        "if inner.owned < self.most {",
        "if inner.owned <= self.most {",
        "shards::threads_beyond_those_that_own_a_shard_share_one",
    ),
    (
        "engine/ring.rs",
        "std::mem::swap(&mut *lock_tried(half), spare);\n            into.append(spare);",
        "into.append(&mut *lock_tried(half));\n            lock_tried(half).clear();\n            into.append(spare);",
        "rings::one_thread_and_the_collector_lose_and_double_nothing",
    ),
    (
        "engine/ring.rs",
        "let mut half = lock_tried(&self.halves[1]);",
        "let Some(mut half) = try_lock(&self.halves[1]) else {\n            return Pushed::Taken;\n        };",
        "rings::two_threads_of_a_common_shard_lose_and_double_nothing",
    ),
    (
        "engine/ring.rs",
        "let mut half = lock_tried(&self.halves[0]);",
        "let Some(mut half) = try_lock(&self.halves[0]) else {\n            return Pushed::Full(item);\n        };",
        "rings::nothing_is_given_back_while_there_is_room",
    ),
    (
        "engine/ring.rs",
        "self.capacity.store(0, Ordering::Relaxed);",
        "let _ = &self.capacity;",
        "rings::what_comes_while_a_ring_is_closed_is_drained_or_given_back",
    ),
    (
        "engine/family.rs",
        "let mut inner = lock(&self.inner);\n        // Under the lock",
        "if let decided @ (Verdict::Keep | Verdict::Drop) = self.verdict() {\n"
        "            return Parked::Decided(child, decided);\n        }\n"
        "        let mut inner = lock(&self.inner);\n        inner.waiting.push(child);\n"
        "        inner.bytes += bytes;\n        return Parked::Waiting;\n        #[allow(unreachable_code)]\n"
        "        // Under the lock",
        "families::a_child_is_handed_to_the_root_or_told_the_verdict_never_both_nor_neither",
    ),
    (
        "engine/family.rs",
        "let verdict = match self.verdict() {",
        "let verdict = match Verdict::Pending {",
        "families::the_first_verdict_stands_and_everybody_reads_it",
    ),
    (
        "engine/family.rs",
        "into.append(&mut inner.waiting);\n        std::mem::take(&mut inner.bytes)\n    }",
        "into.append(&mut inner.waiting);\n        drop(inner);\n        std::mem::take(&mut lock(&self.inner).bytes)\n    }",
        "families::children_that_are_shed_are_not_handed_to_the_root_too",
    ),
    (
        "shared.rs",
        "if state.open {\n            let side",
        "let open = state.open;\n        drop(state);\n        let mut state = lock(&self.state);\n"
        "        if open {\n            let side",
        "shared::an_attribute_arrives_or_is_counted_as_late",
    ),
    (
        "shared.rs",
        "if carried {\n            state.identity.ensure_family();",
        "if carried && false {\n            state.identity.ensure_family();",
        "shared::a_child_that_starts_while_its_root_ends_reads_the_roots_verdict",
    ),
    (
        "shared.rs",
        "if keeps && !self.sampled && self.family.is_none() {",
        "if keeps && !self.sampled {",
        "shared::two_children_that_start_at_once_join_one_family",
    ),
    (
        "level.rs",
        "self.change(|old| (old & MARK) | level as u8);",
        "self.0.swap((self.raw() & MARK) | level as u8, Ordering::Relaxed);",
        "levels::neither_change_is_lost_and_a_start_sees_one_that_was_set",
    ),
    (
        "level.rs",
        "while old != OFF {",
        "while old != 0xff {",
        "levels::what_is_switched_off_stays_off_whoever_sets_a_level_meanwhile",
    ),
    (
        "level.rs",
        "if !any() && self.change(|old| old & !MARK) && any() {",
        "if !any() && self.change(|old| old & !MARK) && false {",
        "levels::a_level_that_is_set_outlasts_one_that_is_given_back_meanwhile",
    ),
]

OF_GPU = [
    (
        "slots.rs",
        "fence(Ordering::Release);\n        for (word",
        "for (word",
        "slots::loom_models::what_is_overwritten_is_left_out",
    ),
    (
        "slots.rs",
        "self.written.store(number + 1, Ordering::Release);",
        "self.written.store(number + 1, Ordering::Relaxed);",
        "slots::loom_models::the_last_is_whole_and_never_older_than_before",
    ),
    (
        "slots.rs",
        "self.written.load(Ordering::Acquire)",
        "self.written.load(Ordering::Relaxed)",
        "slots::loom_models::the_last_is_whole_and_never_older_than_before",
    ),
    (
        "slots.rs",
        "fence(Ordering::Acquire);",
        "let _ = fence;",
        "slots::loom_models::what_is_overwritten_is_left_out",
    ),
    (
        "slots.rs",
        "self.written.load(Ordering::Relaxed) < number + self.many();",
        "self.written.load(Ordering::Relaxed) <= number + self.many();",
        "slots::loom_models::what_is_overwritten_is_left_out",
    ),
    (
        "gate/word.rs",
        "let before = self.bits.fetch_add(ONE, Ordering::AcqRel);",
        "let before = self.bits.load(Ordering::Acquire);\n        self.bits.fetch_add(ONE, Ordering::AcqRel);",
        "gate::word::loom_models::once_it_was_closed_and_empty_nobody_is_let_in",
    ),
    (
        "gate/word.rs",
        "self.leave();\n        Err(state)",
        "self.bits.fetch_sub(ONE, Ordering::AcqRel);\n        Err(state)",
        "gate::word::loom_models::one_who_is_refused_still_tells_who_waits",
    ),
    (
        "gate/word.rs",
        "            .fetch_update(Ordering::AcqRel, Ordering::Acquire, set)\n            .unwrap_or_else(|same| same);",
        "            .load(Ordering::Acquire);\n        self.bits.store(set(before).unwrap_or(before), Ordering::Release);",
        "gate::word::loom_models::once_it_was_closed_and_empty_nobody_is_let_in",
    ),
    (
        "gate/word.rs",
        "let before = self.bits.fetch_sub(ONE, Ordering::AcqRel);",
        "let before = self.bits.load(Ordering::Acquire);\n        self.bits.fetch_sub(ONE, Ordering::AcqRel);",
        "gate::word::loom_models::who_waits_is_ready_or_woken_whoever_leaves_or_closes_when",
    ),
    (
        "gate/word.rs",
        "if is_empty(before & !FLAGS | flags) {",
        "if is_empty(before) {",
        "gate::word::loom_models::who_waits_is_ready_or_woken_whoever_leaves_or_closes_when",
    ),
    (
        "gate/word.rs",
        "match is_empty(self.bits.load(Ordering::Acquire)) {",
        "match false {",
        "gate::word::loom_models::who_waits_is_ready_or_woken_whoever_leaves_or_closes_when",
    ),
    (
        "gate/changes.rs",
        "if self.is_empty() {\n                return;\n            }",
        "return;",
        "gate::changes::loom_models::whoever_changes_a_gate_while_another_tells_all_is_told_once_and_one_after_the_other",
    ),
    (
        "gate/changes.rs",
        "            while let Some(change) = self.next() {\n                tell(&change);\n            }\n            drop(telling);",
        "            drop(telling);\n            while let Some(change) = self.next() {\n                tell(&change);\n            }",
        "gate::changes::loom_models::whoever_changes_a_gate_while_another_tells_all_is_told_once_and_one_after_the_other",
    ),
]

SEEDS = [("obs-core", file, right, wrong, f"loom_models::{model}") for file, right, wrong, model in OF_CORE] + [
    ("obs-gpu", *seed) for seed in OF_GPU
]


def model_fails(workspace: pathlib.Path, crate: str, test: str) -> tuple[bool, str]:
    command = ["cargo", "test", "-p", crate, "--lib", "--release", "--", "--exact", test]
    ran = subprocess.run(command, cwd=workspace, capture_output=True, text=True)
    said = [line.strip() for line in (ran.stdout + ran.stderr).splitlines()]
    if not any(line.startswith("running 1 test") for line in said):
        sys.exit(f"{test} did not run:\n{ran.stderr[-3000:]}")
    why = next((after for line, after in zip(said, said[1:]) if "panicked at" in line), "")
    return f"test {test} ... FAILED" in said and bool(why), why


def main() -> None:
    root = pathlib.Path.cwd()
    found = 0
    # A fixed place, so that the crates that are not seeded are built once. What is built goes elsewhere than what `.ci/loom` runs: cargo
    # knows a crate by its path in its workspace, which is the same there, and would run the last bug that was seeded.
    folder = pathlib.Path(os.environ["CARGO_TARGET_DIR"]).resolve()
    workspace = folder / "seeds"
    os.environ["CARGO_TARGET_DIR"] = str(folder / "seeded")
    shutil.rmtree(workspace, ignore_errors=True)
    ignored = shutil.ignore_patterns("target", ".git")
    shutil.copytree(root, workspace, ignore=ignored)
    for crate, file, right, wrong, model in SEEDS:
        path = workspace / crate / "src" / file
        whole = path.read_text()
        if whole.count(right) != 1:
            sys.exit(f"{crate}, {file}: the place of the seed for {model} occurs {whole.count(right)} times, not once")
        path.write_text(whole.replace(right, wrong))
        fails, why = model_fails(workspace, crate, model)
        path.write_text(whole)
        found += fails
        print(f"{'found' if fails else 'MISSED'}: {crate}, {file}, {model}: {why}", flush=True)
    print(f"{found} of {len(SEEDS)} seeded bugs found")
    if found != len(SEEDS):
        sys.exit(1)


main()
