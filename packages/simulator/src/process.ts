import type { Sample } from '@liquefy/machine'

type TimedSample = Sample & { timeMs: number }

/** What a simulated machine would tell of a moment. */
export type Observation =
  | { kind: 'reading'; stream: string; sample: TimedSample }
  | { kind: 'position'; stream: string; records: readonly [lat: TimedSample, lon: TimedSample] }
  | { kind: 'replacement'; stream: string; atMs: number; reason: string }
  | { kind: 'excuse'; stream: string; fromMs: number; toMs: number; reason: string }

/** The physics behind a machine. Deterministic: the same seed and the same steps give the same observations. */
export interface Process {
  /**
   * Lets time pass, and observes.
   *
   * @param elapsedMs of the process, which may run faster than the clock.
   * @param nowMs what the machine's clock says, for the time of the readings.
   */
  step(elapsedMs: number, nowMs: number): Observation[]
  /** Plain JSON that `restore` of the same process takes. */
  save(): unknown
}

/** Makes a process: anew, or where `save` left it. */
export type ProcessSource = (seed: number, saved?: unknown) => Process
