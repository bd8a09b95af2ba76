import { join } from 'node:path'
import type { Client, Deployment, Place } from '@liquefy/client'
import { type Machine, openMachine } from '@liquefy/machine'
import type { Hex } from '@liquefy/protocol'
import { readJson, writeJson } from './demo-file.ts'
import {
  ensureAgreement,
  ensureEscrow,
  ensureMachine,
  folderName,
  type Onboarding,
} from './onboarding.ts'
import type { PartyLedger } from './party-ledger.ts'
import type { Observation, Process } from './process.ts'
import type { MachineDefinition, Product } from './product.ts'

export interface RunOptions {
  deployment: Deployment
  client: Pick<Client, 'machines' | 'machine' | 'agreement' | 'submitRules'>
  ledger: PartyLedger
  /** Keys, ids and the state of the physics live in `<dataDir>/demo`. */
  dataDir: string
  /** Gives a machine the name of its definition on the node. */
  nameMachine(machineId: bigint, name: string): Promise<void>
  /** Says on the node where a machine stands, if its definition does. */
  placeMachine(machineId: bigint, place: Place): Promise<void>
  /** Told of what goes wrong while it runs; the machines run on. */
  onProblem?: (machine: string, error: unknown) => void
}

export interface RunningMachine {
  name: string
  machineId: bigint
  agreementId: Hex
  machine: Machine
}

export interface RunningProduct {
  machines: RunningMachine[]
  /** Stops the machines; their folders are ready to go on from. */
  stop(): Promise<void>
}

interface Driven extends RunningMachine {
  definition: MachineDefinition
  process: Process
  physicsPath: string
}

/** A sleeping computer wakes with a large step; the process slept too. */
const LONGEST_STEP_MS = 5_000
const ESCROW_EVERY_MS = 30_000
/** A pause longer than this is declared as a gap. */
const DECLARED_PAUSE_MS = 60_000

/**
 * Runs a product with simulated machines in real time against a node: registers them, opens and funds their agreements,
 * then lets the physics run. Started again on the same folder, it goes on where it stopped.
 *
 * @throws LiquefyError `NODE_BEHIND` if the node does not follow the ledger; and what the ledger refuses.
 */
export async function runProduct(product: Product, options: RunOptions): Promise<RunningProduct> {
  const onboarding: Onboarding = { ...options, product, nowMs: () => Date.now() }
  const onProblem = options.onProblem ?? (() => {})
  const driven: Driven[] = []
  let stopped = false

  async function stop(): Promise<void> {
    if (stopped) return
    stopped = true
    for (const timer of timers) clearInterval(timer)
    await Promise.all(driven.map(({ machine }) => machine.close()))
  }

  const timers: ReturnType<typeof setInterval>[] = []
  try {
    // One after another: they share accounts, whose transactions have an order.
    for (const definition of product.machines) {
      driven.push(await start(onboarding, options, definition))
    }
  } catch (error) {
    await stop()
    throw error
  }

  for (const one of driven) {
    const report = (error: unknown) => {
      if (!stopped) onProblem(one.name, error)
    }
    const drive = driver(product, one, report)
    timers.push(setInterval(drive, product.readEveryMs))
    const topUp = () => {
      ensureEscrow(onboarding, one.definition, one.agreementId).catch(report)
    }
    timers.push(setInterval(topUp, ESCROW_EVERY_MS))
  }
  const machines = driven.map(({ name, machineId, agreementId, machine }) => {
    return { name, machineId, agreementId, machine }
  })
  return { machines, stop }
}

async function start(
  onboarding: Onboarding,
  options: RunOptions,
  definition: MachineDefinition,
): Promise<Driven> {
  const { product } = onboarding
  const { name, seed } = definition
  const folder = join(options.dataDir, 'demo', folderName(product.name), folderName(name))
  const machineId = await ensureMachine(onboarding, definition, folder)
  await options.nameMachine(machineId, name)
  if (definition.place) await options.placeMachine(machineId, definition.place)
  const agreementId = await ensureAgreement(onboarding, definition, { folder, machineId })
  await ensureEscrow(onboarding, definition, agreementId)
  const { packEvery, signEveryMs } = product
  const machine = await openMachine({ folder, packEvery, signEveryMs })
  const physicsPath = join(folder, 'physics.json')
  const saved = readJson(physicsPath) as { atMs: number; state: unknown } | undefined
  const process = definition.process(seed, saved?.state)
  if (saved) await declarePause(machine, definition, saved.atMs)
  return { name, machineId, agreementId, machine, definition, process, physicsPath }
}

/** The process stood still while nobody ran it: that is what the declaration says. */
async function declarePause(
  machine: Machine,
  definition: MachineDefinition,
  fromMs: number,
): Promise<void> {
  const toMs = Date.now()
  if (toMs - fromMs < DECLARED_PAUSE_MS) return
  for (const { stream } of definition.agreement.meters) {
    await machine.declareGap(stream, { fromMs, toMs, reason: 'simulation was switched off' })
  }
}

/** One turn of the physics, and what comes of it. */
function driver(product: Product, driven: Driven, onProblem: (error: unknown) => void): () => void {
  const { machine, process, physicsPath } = driven
  let lastMs = Date.now()
  return () => {
    const nowMs = Date.now()
    const stepMs = Math.min(Math.max(nowMs - lastMs, 0), LONGEST_STEP_MS)
    lastMs = nowMs
    for (const observation of process.step(stepMs * product.speedUp, nowMs)) {
      tell(machine, observation).catch(onProblem)
    }
    try {
      writeJson(physicsPath, { atMs: nowMs, state: process.save() })
    } catch (error) {
      onProblem(error)
    }
  }
}

/** Has a machine sign what was observed: a reading, or a declaration. */
export function tell(machine: Machine, observation: Observation): Promise<unknown> {
  const { stream } = observation
  switch (observation.kind) {
    case 'reading':
      return machine.sample(stream, observation.sample)
    case 'position':
      return machine.sample(stream, observation.records)
    case 'replacement': {
      const { atMs, reason } = observation
      return machine.declareReplacement(stream, { atMs, reason })
    }
    case 'excuse': {
      const { fromMs, toMs, reason } = observation
      return machine.declareExcuse(stream, { fromMs, toMs, reason })
    }
  }
}
