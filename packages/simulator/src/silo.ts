import type { Observation, Process, ProcessSource } from './process.ts'
import { createRandom, type Random } from './random.ts'

/** A silo of bulk material with a level probe in its roof. Times are of the process. */
export interface SiloDefinition {
  heightMm: number
  crossSectionM2: number
  bulkDensityKgPerM3: number
  startLevelMm: number
  /** Withdrawal while a batch runs. */
  withdrawalKgPerSecond: number
  batchSeconds: readonly [from: number, to: number]
  pauseSeconds: readonly [from: number, to: number]
  /** A truck comes this long after the one before, and fills at this rate. */
  refillEverySeconds: readonly [from: number, to: number]
  refillKgPerSecond: number
  refillToMm: number
  /** The material arches over the outlet: the surface stands still although material leaves, then collapses. */
  bridgeEverySeconds: readonly [from: number, to: number]
  bridgeSeconds: readonly [from: number, to: number]
  /** Standard deviation is about half of it; never more than it. */
  noiseMm: number
  /** The probe is exchanged once, after this long; the new one reads `offsetMm` off the old one. */
  probeReplaced?: { afterSeconds: number; offsetMm: number; reason: string }
  /** Unbilled: degrees Celsius as a float, this often by the machine's clock. */
  temperatureEveryMs?: number
}

interface SiloState {
  random: number
  atSeconds: number
  /** Of all material, whether arched over or not. */
  levelMm: number
  /** Withdrawn from below an arch, not yet seen at the surface. */
  archedMm: number
  probeOffsetMm: number
  /** Withdrawn since the beginning, to compare with what was billed. */
  withdrawnKg: number
  isWithdrawing: boolean
  /** When a batch ends or begins. */
  switchAt: number
  bridgeAt: number
  bridgeUntil: number
  refillAt: number
  isRefilling: boolean
  isProbeReplaced: boolean
  temperatureAtMs: number
}

const GRAMS_PER_KG = 1_000
const MM_PER_METRE = 1_000
/** Long steps are walked in pieces, so that no event is jumped over. */
const PIECE_SECONDS = 1

/** Grams that one millimetre of level stands for, an integer: the factor of the silo's meter rule. */
export function gramsPerMm(
  silo: Pick<SiloDefinition, 'crossSectionM2' | 'bulkDensityKgPerM3'>,
): number {
  return Math.round((silo.crossSectionM2 / MM_PER_METRE) * silo.bulkDensityKgPerM3 * GRAMS_PER_KG)
}

/** The physics of a silo: streams `level` (mm, integers) and, if wanted, `temperature` (Cel, floats). */
export function siloProcess(definition: SiloDefinition): ProcessSource {
  return (seed, saved) => {
    const state = (saved as SiloState | undefined) ?? beginning(definition, seed)
    const random = createRandom(state.random)
    return createSilo(definition, state, random)
  }
}

/** What has left the silo since its beginning, kg, by the process's own saved state. */
export function withdrawnKg(process: Process): number {
  return (process.save() as SiloState).withdrawnKg
}

function beginning(definition: SiloDefinition, seed: number): SiloState {
  const random = createRandom(seed)
  return {
    atSeconds: 0,
    levelMm: definition.startLevelMm,
    archedMm: 0,
    probeOffsetMm: 0,
    withdrawnKg: 0,
    isWithdrawing: true,
    switchAt: random.between(...definition.batchSeconds),
    bridgeAt: random.between(...definition.bridgeEverySeconds),
    bridgeUntil: 0,
    refillAt: random.between(...definition.refillEverySeconds),
    isRefilling: false,
    isProbeReplaced: false,
    temperatureAtMs: 0,
    random: random.state(),
  }
}

function createSilo(silo: SiloDefinition, state: SiloState, random: Random): Process {
  const mmPerKg = GRAMS_PER_KG / gramsPerMm(silo)

  function walk(seconds: number): void {
    state.atSeconds += seconds
    withdraw(seconds)
    bridge()
    refill(seconds)
  }

  function withdraw(seconds: number): void {
    const { atSeconds } = state
    if (atSeconds >= state.switchAt) {
      state.isWithdrawing = !state.isWithdrawing
      const range = state.isWithdrawing ? silo.batchSeconds : silo.pauseSeconds
      state.switchAt = atSeconds + random.between(...range)
    }
    // The outlet is shut while the silo is filled: no level could tell the two apart.
    if (!state.isWithdrawing || state.isRefilling) return
    const kg = Math.min(silo.withdrawalKgPerSecond * seconds, state.levelMm / mmPerKg)
    state.levelMm -= kg * mmPerKg
    state.withdrawnKg += kg
    if (atSeconds < state.bridgeUntil) state.archedMm += kg * mmPerKg
  }

  function bridge(): void {
    const { atSeconds } = state
    if (state.bridgeUntil > 0 && atSeconds >= state.bridgeUntil) {
      state.bridgeUntil = 0
      state.archedMm = 0
      state.bridgeAt = atSeconds + random.between(...silo.bridgeEverySeconds)
    } else if (state.bridgeUntil === 0 && atSeconds >= state.bridgeAt && !state.isRefilling) {
      state.bridgeUntil = atSeconds + random.between(...silo.bridgeSeconds)
    }
  }

  function refill(seconds: number): void {
    // Nobody fills onto an arch.
    if (state.bridgeUntil > 0) return
    const isLow = state.levelMm < silo.heightMm / 10
    if (!state.isRefilling && !isLow && state.atSeconds < state.refillAt) return
    state.isRefilling = true
    state.levelMm += silo.refillKgPerSecond * seconds * mmPerKg
    if (state.levelMm < silo.refillToMm) return
    state.isRefilling = false
    state.refillAt = state.atSeconds + random.between(...silo.refillEverySeconds)
  }

  function replaceProbe(nowMs: number): Observation[] {
    const { probeReplaced } = silo
    if (!probeReplaced || state.isProbeReplaced) return []
    if (state.atSeconds < probeReplaced.afterSeconds) return []
    state.isProbeReplaced = true
    state.probeOffsetMm = probeReplaced.offsetMm
    return [{ kind: 'replacement', stream: 'level', atMs: nowMs, reason: probeReplaced.reason }]
  }

  function readLevel(timeMs: number): Observation {
    // The mean of two even draws: small deviations are more frequent than large ones.
    const noise = (random.next() + random.next() - 1) * silo.noiseMm
    const level = state.levelMm + state.archedMm + state.probeOffsetMm + noise
    const value = BigInt(Math.max(0, Math.round(level)))
    return { kind: 'reading', stream: 'level', sample: { unit: 'mm', value, timeMs } }
  }

  function readTemperature(timeMs: number): Observation[] {
    const { temperatureEveryMs } = silo
    if (!temperatureEveryMs || timeMs < state.temperatureAtMs) return []
    state.temperatureAtMs = timeMs + temperatureEveryMs
    const degrees = 17 + 3 * Math.sin(timeMs / 3_600_000) + random.between(-0.2, 0.2)
    const value = Math.round(degrees * 10) / 10
    return [{ kind: 'reading', stream: 'temperature', sample: { unit: 'Cel', value, timeMs } }]
  }

  return {
    step(elapsedMs, nowMs) {
      let seconds = elapsedMs / 1000
      for (; seconds > PIECE_SECONDS; seconds -= PIECE_SECONDS) walk(PIECE_SECONDS)
      if (seconds > 0) walk(seconds)
      return [...replaceProbe(nowMs), readLevel(nowMs), ...readTemperature(nowMs)]
    },
    save: () => ({ ...state, random: random.state() }),
  }
}
