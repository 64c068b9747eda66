//! The table: numbers and actions of NVIDIA's catalogue in the edition that [`XidCatalogue::VERSION`](super::XidCatalogue::VERSION)
//! names, from 13 to 172 and the two below that are in use; names and verdicts are ours.
//!
//! Verdicts follow the action, `IGNORE` to note, `RESTART_APP` to app, `RESET_GPU` to drain, with these exceptions:
//!
//! - 63 and 92 are to be ignored, and say that memory is worse than it was: degraded.
//! - 64 is a row without a spare, 95 an error that may be in anything, 119 and 120 a firmware that will not answer, so that
//!   calls hang: isolate, as 79 and 54, where there is nothing to send work to.
//! - 48 drains: what comes beside it raises that (64, 95), never lowers it. 171 and 172 say more of the same error.
//! - 45 alone is its application's, as NVIDIA has it by now ([NVSentinel #1629]); beside any other it is nothing ([#1710]).
//! - 154 is the driver's word on something else: degraded until the word has been read.
//! - 162 takes 163 back ([#1252]): a note. What else the catalogue has without an action, as unused, or for support: degraded.
//!
//! [NVSentinel #1629]: https://github.com/NVIDIA/NVSentinel/pull/1629
//! [#1710]: https://github.com/NVIDIA/NVSentinel/issues/1710
//! [#1252]: https://github.com/NVIDIA/NVSentinel/issues/1252

use super::{Verdict, Xid, XidAction};

pub(super) fn find(code: u64) -> Option<Xid> {
    let place = ROWS.binary_search_by_key(&code, |row| row.code).ok()?;
    Some(ROWS[place])
}

pub(super) fn codes() -> impl Iterator<Item = u64> {
    ROWS.iter().map(|row| row.code)
}

macro_rules! rows {
    ($($code:literal $name:literal $action:ident $verdict:ident;)*) => {
        static ROWS: &[Xid] = &[$(Xid {
            code: $code,
            name: $name,
            action: XidAction::$action,
            verdict: Verdict::$verdict,
            overridden: false,
        }),*];
    };
}

rows! {
    8 "channel stopped by its watchdog" RestartApp App;
    11 "corrupt push buffer" RestartApp App;
    13 "graphics engine exception" RestartApp App;
    14 "unused: made-up error" Ignore Note;
    15 "unused: scan-out timeout" ContactSupport Degraded;
    16 "unused: vertical blank timeout" ContactSupport Degraded;
    17 "unused: parameter error" ContactSupport Degraded;
    18 "unused: bus master timeout" ContactSupport Degraded;
    19 "unused: missed display notifier" ContactSupport Degraded;
    20 "unused: MPEG engine" ContactSupport Degraded;
    21 "unused: motion estimation engine" ContactSupport Degraded;
    22 "unused: video processor" ContactSupport Degraded;
    23 "unused: channel recovery logging" ContactSupport Degraded;
    24 "unused: graphics semaphore timeout" ContactSupport Degraded;
    25 "illegal push buffer" RestartApp App;
    26 "unused: frame buffer interface timeout" ContactSupport Degraded;
    27 "unused: video processor" ContactSupport Degraded;
    28 "unused: second video processor" ContactSupport Degraded;
    29 "unused: bit stream processor" ContactSupport Degraded;
    30 "unused: access to a bad address" ContactSupport Degraded;
    31 "page fault" RestartApp App;
    32 "corrupt push buffer, found by its DMA engine" RestartApp App;
    33 "unused: security engine" ContactSupport Degraded;
    34 "unused: video bit stream decoder" ContactSupport Degraded;
    35 "unused: video macroblock decoder" ContactSupport Degraded;
    36 "unused: video post-processor" ContactSupport Degraded;
    37 "driver firmware: method that it does not have" Ignore Note;
    38 "driver firmware: watchdog" Ignore Note;
    39 "copy engine 0 exception" RestartApp App;
    40 "copy engine 1 exception" RestartApp App;
    41 "copy engine 2 exception" RestartApp App;
    42 "unused: video image compositor" ContactSupport Degraded;
    43 "channel reset" Ignore Note;
    44 "graphics engine fault during a context switch" Ignore Note;
    45 "preemptive cleanup" Workflow App;
    46 "GPU timeout" ResetGpu Drain;
    47 "unused: encoder 0" ContactSupport Degraded;
    48 "double bit error" Workflow Drain;
    49 "unused: silent running level" ContactSupport Degraded;
    50 "unused: silent running level changed" ContactSupport Degraded;
    51 "unused: silent running stress test" ContactSupport Degraded;
    52 "unused: clocks lowered for heat" ContactSupport Degraded;
    53 "unused: clocks held for heat" ContactSupport Degraded;
    54 "auxiliary power is not connected" CheckMechanicals Isolate;
    55 "unused: temperature could not be read" ContactSupport Degraded;
    56 "unused: display channel exception" ContactSupport Degraded;
    57 "unused: memory link training" ContactSupport Degraded;
    58 "unused: memory error" ContactSupport Degraded;
    59 "unused: power controller" ContactSupport Degraded;
    60 "video processor exception" RestartApp App;
    61 "unused: power controller breakpoint" ContactSupport Degraded;
    62 "power controller halted" ResetGpu Drain;
    63 "row of memory to be replaced" Ignore Degraded;
    64 "row of memory could not be replaced" ResetGpu Isolate;
    65 "unused: encoder 1" ContactSupport Degraded;
    66 "driver: illegal register access" Ignore Note;
    67 "driver: verification" Ignore Note;
    68 "decoder 0 exception" RestartApp App;
    69 "graphics engine class error" RestartApp App;
    70 "copy engine 3 exception" RestartApp App;
    71 "copy engine 4 exception" RestartApp App;
    72 "copy engine 5 exception" RestartApp App;
    73 "unused: encoder 2" ContactSupport Degraded;
    74 "NVLink error" Workflow Degraded;
    75 "copy engine 6 exception" RestartApp App;
    76 "copy engine 7 exception" RestartApp App;
    77 "copy engine 8 exception" RestartApp App;
    78 "virtual GPU could not be started" Update Degraded;
    79 "fallen off the bus" RestartMachine Isolate;
    80 "corrupt data sent to the GPU" RestartApp App;
    81 "unused: VGA" ContactSupport Degraded;
    82 "JPEG engine 0 exception" RestartApp App;
    83 "decoder 1 exception" RestartApp App;
    84 "decoder 2 exception" RestartApp App;
    85 "copy engine 9 exception" RestartApp App;
    86 "optical flow engine 0 exception" RestartApp App;
    87 "unused: driver report" ContactSupport Degraded;
    88 "decoder 3 exception" RestartApp App;
    89 "decoder 4 exception" RestartApp App;
    90 "unused: level 2 cache" ContactSupport Degraded;
    91 "unused: reserved" ContactSupport Degraded;
    92 "many single bit errors" Ignore Degraded;
    93 "InfoROM wear limit" Ignore Note;
    94 "contained memory error" RestartApp App;
    95 "uncontained memory error" ResetGpu Isolate;
    96 "decoder 5 exception" RestartApp App;
    97 "decoder 6 exception" RestartApp App;
    98 "decoder 7 exception" RestartApp App;
    99 "JPEG engine 1 exception" RestartApp App;
    100 "JPEG engine 2 exception" RestartApp App;
    101 "JPEG engine 3 exception" RestartApp App;
    102 "JPEG engine 4 exception" RestartApp App;
    103 "JPEG engine 5 exception" RestartApp App;
    104 "JPEG engine 6 exception" RestartApp App;
    105 "JPEG engine 7 exception" RestartApp App;
    106 "test message" Ignore Note;
    107 "silent test message" Ignore Note;
    108 "unused: NVLink remote translation" Ignore Note;
    109 "context switch timeout" ResetGpu Drain;
    110 "security fault" ResetGpu Drain;
    111 "unused: bundle error" ContactSupport Degraded;
    112 "unused: display supervisor" ContactSupport Degraded;
    113 "unused: DisplayPort link training" ContactSupport Degraded;
    114 "unused: display underflow" ContactSupport Degraded;
    115 "unused: core channel registers" ContactSupport Degraded;
    116 "unused: window channel registers" ContactSupport Degraded;
    117 "unused: cursor channel registers" ContactSupport Degraded;
    118 "unused: display head registers" ContactSupport Degraded;
    119 "firmware does not answer" ResetGpu Isolate;
    120 "firmware error" ResetGpu Isolate;
    121 "chip-to-chip link: corrected errors" Ignore Note;
    122 "unused: flash could not be read" ContactSupport Degraded;
    123 "unused: flash could not be written" ContactSupport Degraded;
    124 "unused: flash could not be erased" ContactSupport Degraded;
    125 "unused: InfoROM file system" ContactSupport Degraded;
    126 "copy engine 10 exception" RestartApp App;
    127 "copy engine 11 exception" RestartApp App;
    128 "copy engine 12 exception" RestartApp App;
    129 "copy engine 13 exception" RestartApp App;
    130 "copy engine 14 exception" RestartApp App;
    131 "copy engine 15 exception" RestartApp App;
    132 "copy engine 16 exception" RestartApp App;
    133 "copy engine 17 exception" RestartApp App;
    134 "copy engine 18 exception" RestartApp App;
    135 "copy engine 19 exception" RestartApp App;
    136 "link training failed" ResetGpu Drain;
    137 "NVLink privilege error" Ignore Note;
    138 "unused: deep learning accelerator" ContactSupport Degraded;
    139 "optical flow engine 1 exception" RestartApp App;
    140 "uncorrected memory error escaped" ResetGpu Drain;
    141 "CUDA fast path error" Ignore Note;
    142 "encoder 3 exception" ContactSupport Degraded;
    143 "GPU initialisation failed" ResetGpu Drain;
    144 "NVLink 5 error, unit SAW" Workflow Degraded;
    145 "NVLink 5 error, unit RLW" Workflow Degraded;
    146 "NVLink 5 error, unit TLW" Workflow Degraded;
    147 "NVLink 5 error, unit TREX" Workflow Degraded;
    148 "NVLink 5 error, unit NVLPW_CTRL" Workflow Degraded;
    149 "NVLink 5 error, unit NETIR" Workflow Degraded;
    150 "NVLink 5 error, unit MSE" Workflow Degraded;
    151 "key rotation failed" RestartVm Drain;
    152 "accelerator memory unit" Ignore Note;
    153 "accelerator timeout" Ignore Note;
    154 "recovery action changed" RecoveryAction Degraded;
    155 "NVLink error that software defines" ResetGpu Drain;
    156 "resource to be retired" ResetGpu Drain;
    157 "resource could not be retired" Ignore Note;
    158 "fatal timeout" ResetGpu Drain;
    159 "coherent bus error without data" CheckUvm Degraded;
    160 "channel retired" Ignore Note;
    161 "channel could not be retired" Ignore Note;
    162 "power smoothing engaged again" Unlisted Note;
    163 "power smoothing disengaged" Unlisted Degraded;
    164 "power smoothing near its end of life" Unlisted Degraded;
    165 "power smoothing at its end of life" Unlisted Degraded;
    166 "NVLink traffic before encryption" Unlisted Degraded;
    167 "PCIe fatal timeout" Unlisted Degraded;
    168 "memory capacity reduced" Unlisted Degraded;
    169 "security controller halted" Unlisted Degraded;
    170 "NVLink interrupt in confidential mode" Unlisted Degraded;
    171 "uncorrectable error in DRAM" Unlisted Drain;
    172 "uncorrectable error in SRAM" Unlisted Drain;
}
