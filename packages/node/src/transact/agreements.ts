import type { Hex } from '@liquefy/client'
import {
  decodeTariffData,
  type FoldTerms,
  foldTermsOf,
  type MeterRule,
  machineAccountAddress,
  parseRule,
  ruleHash,
  SIGNER_KIND,
  type Tariff,
  type TariffContracts,
  type Terms,
  tariffKindAt,
  termsToJson,
} from '@liquefy/protocol'
import type { ContractDeployment } from '../chain/deployment.ts'
import {
  readAgreements,
  readControllers,
  readRules,
  type StoredAgreement,
  saveRules,
} from '../store/agreements.ts'
import type { Database, Queryable } from '../store/database.ts'
import { saveMachineAccounts } from '../store/machine-accounts.ts'

/** What a machine is told of an agreement that it meters: the payload of its `agreement` topic. */
export interface AgreementMessage {
  agreementId: Hex
  terms: unknown
  /** In the order of the meters; null where the node does not know the rule. */
  rules: (MeterRule | null)[]
}

/** An agreement with all that is needed to meter it. */
export interface MeteredAgreement extends StoredAgreement {
  /** In the order of the meters; undefined where the node does not know the rule. */
  rules: (MeterRule | undefined)[]
  tariff: Tariff | undefined
  /** Why nothing is metered, in words; undefined if it is. */
  problem: string | undefined
}

/** Result of handing rules to the node. */
type RulesIntake =
  | { ok: true; ruleHashes: Hex[] }
  | { ok: false; code: 'RULE_INVALID' | 'RULES_TOO_MANY'; message: string }

/** The agreements that the ledger has, joined with the rules that they name by hash. Kept in memory, read again on change. */
export interface Agreements {
  /** Reads all again; answers the ids of those that can be metered now and could not before. */
  refresh(): Promise<Hex[]>
  all(): MeteredAgreement[]
  get(agreementId: Hex): MeteredAgreement | undefined
  /** Open agreements that meter a stream. */
  metering(machineId: bigint, stream: string): MeteredAgreement[]
  /** What a machine meters, as signer itself or for the machines that it controls. */
  agreementsOf(machineId: bigint): AgreementMessage[]
  /** The machines that sign meter values of an agreement: its signer, and that one's controller. */
  signersOf(agreement: MeteredAgreement): bigint[]
  /** The machine whose key signs: the controller where there is one. */
  controllerOf(machineId: bigint): bigint | undefined
  /** Makes rules known. They certify themselves by their hash, so anyone may bring them; those that no agreement names may be forgotten. */
  submitRules(rules: readonly unknown[]): Promise<RulesIntake>
}

/** Rules that no agreement on the ledger names: anyone may bring some, and nobody may crowd out those that are named. */
const MAX_UNNAMED_RULES = 1_000
const MAX_RULES_PER_CALL = 100
/** All that a machine sends behind a missing envelope waits for it so long: 31 days (docs/protocol/meter-rules.md). */
export const MAX_GAP_TIMEOUT_SECONDS = 31 * 86_400

/** Reads the agreements; call `refresh` first, and again whenever the ledger has changed. */
export function createAgreements(options: {
  database: Database
  deployment: TariffContracts & Pick<ContractDeployment, 'chainId' | 'registry' | 'accounts'>
}): Agreements {
  const { database, deployment } = options
  let byId = new Map<Hex, MeteredAgreement>()
  let byStream = new Map<string, MeteredAgreement[]>()
  let bySigner = new Map<bigint, MeteredAgreement[]>()
  let controllers = new Map<bigint, bigint>()
  let refreshing: Promise<unknown> = Promise.resolve()

  const refreshNow = async (): Promise<Hex[]> => {
    const db = database.pool
    await saveAccounts(db, deployment)
    const [stored, rules, controlled] = [
      await readAgreements(db),
      await readRules(db),
      await readControllers(db),
    ]
    const before = byId
    controllers = controlled
    const agreements = stored.map((agreement) => withRules(agreement, rules, deployment))
    byId = new Map(agreements.map((agreement) => [agreement.agreementId, agreement]))
    byStream = group(
      agreements.filter(({ open }) => open),
      streamKeys,
    )
    // Without meters the ledger asks for no owner: a stranger could have a device told of any number of them.
    bySigner = group(
      agreements.filter(({ open, terms }) => open && terms && terms.meters.length > 0),
      signersOf,
    )
    return agreements
      .filter(({ agreementId, problem, open }) => {
        const old = before.get(agreementId)
        return open && problem === undefined && (!old || old.problem !== undefined || !old.open)
      })
      .map(({ agreementId }) => agreementId)
  }

  const signersOf = ({ terms, machineId }: MeteredAgreement): bigint[] => {
    const signer = terms?.signerKind === SIGNER_KIND.machine ? BigInt(terms.signer) : machineId
    const controller = controllers.get(signer)
    return controller === undefined ? [signer] : [signer, controller]
  }

  return {
    refresh() {
      const next = refreshing.then(refreshNow)
      refreshing = next.catch(() => undefined)
      return next
    },
    all: () => [...byId.values()],
    get: (agreementId) => byId.get(agreementId),
    metering: (machineId, stream) => byStream.get(`${machineId}/${stream}`) ?? [],
    agreementsOf: (machineId) =>
      (bySigner.get(machineId) ?? []).map(({ agreementId, terms, termsJson, rules }) => ({
        agreementId,
        terms: terms ? termsToJson(terms) : termsJson,
        rules: rules.map((rule) => rule ?? null),
      })),
    signersOf,
    controllerOf: (machineId) => controllers.get(machineId),
    async submitRules(json) {
      if (json.length > MAX_RULES_PER_CALL) {
        return {
          ok: false,
          code: 'RULES_TOO_MANY',
          message: `At most ${MAX_RULES_PER_CALL} rules a call.`,
        }
      }
      const rules: { hash: Hex; rule: MeterRule }[] = []
      for (const [index, item] of json.entries()) {
        const parsed = parseRule(item)
        if (!parsed.ok) {
          return { ok: false, code: 'RULE_INVALID', message: `Rule ${index}: ${parsed.message}` }
        }
        rules.push({ hash: ruleHash(parsed.rule), rule: parsed.rule })
      }
      await database.transaction((client) => saveRules(client, rules, MAX_UNNAMED_RULES))
      return { ok: true, ruleHashes: rules.map(({ hash }) => hash) }
    },
  }
}

/** Terms of the fold of each meter. `startSeqs` has the first seq of each. */
export function foldTermsOfAll(
  terms: Terms,
  rules: readonly (MeterRule | undefined)[],
  startSeqs: readonly bigint[],
): FoldTerms[] {
  return rules.flatMap((rule, index) => {
    const startSeq = startSeqs[index]
    return rule && startSeq !== undefined ? [foldTermsOf(terms, index, rule, startSeq)] : []
  })
}

function withRules(
  stored: StoredAgreement,
  known: ReadonlyMap<Hex, MeterRule>,
  deployment: TariffContracts,
): MeteredAgreement {
  const rules = stored.terms?.meters.map((meter) => known.get(meter.ruleHash)) ?? []
  const tariff = stored.terms && tariffOf(stored.terms, deployment)
  return { ...stored, rules, tariff, problem: problemOf(stored, rules, tariff) }
}

function problemOf(
  { terms }: StoredAgreement,
  rules: readonly (MeterRule | undefined)[],
  tariff: Tariff | undefined,
): string | undefined {
  if (!terms) return 'The terms are beyond what this node meters.'
  if (!tariff) return 'The tariff is a contract that this node does not know.'
  if (terms.gapTimeoutSeconds > MAX_GAP_TIMEOUT_SECONDS) {
    return 'Its gapTimeoutSeconds is more than 31 days: this node holds nothing back for so long.'
  }
  if (rules.includes(undefined)) return 'A rule is unknown: post it to /v1/rules.'
  return undefined
}

/** The tariff behind an agreement's contract; undefined if it is none of this deployment's or its data does not fit. */
export function tariffOf(terms: Terms, deployment: TariffContracts): Tariff | undefined {
  const kind = tariffKindAt(deployment, terms.tariff)
  if (!kind) return undefined
  try {
    return decodeTariffData(kind, terms.tariffData)
  } catch {
    return undefined
  }
}

function streamKeys({ machineId, terms }: MeteredAgreement): string[] {
  return [...new Set(terms?.meters.map(({ stream }) => `${machineId}/${stream}`))]
}

function group<Key, Value>(values: readonly Value[], keysOf: (value: Value) => Key[]) {
  const groups = new Map<Key, Value[]>()
  for (const value of values) {
    for (const key of keysOf(value)) {
      const list = groups.get(key)
      if (list) list.push(value)
      else groups.set(key, [value])
    }
  }
  return groups
}

/** Where the ledger's machines have accounts, these may be parties. */
async function saveAccounts(
  db: Queryable,
  { chainId, registry, accounts }: Pick<ContractDeployment, 'chainId' | 'registry' | 'accounts'>,
): Promise<void> {
  if (!accounts) return
  const implementation = accounts.machineAccount
  await saveMachineAccounts(db, (machineId) =>
    machineAccountAddress({ chainId, registry, implementation, machineId }),
  )
}
