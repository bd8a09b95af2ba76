import type { Sample } from '@liquefy/machine'

/** What a simulated machine would tell of a moment. */
export type Observation =
  | { kind: 'reading'; stream: string; sample: Sample & { timeMs: number } }
  | { kind: 'replacement'; stream: string; atMs: number; reason: string }

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
