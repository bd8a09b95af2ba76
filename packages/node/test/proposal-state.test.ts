import { expect, test } from 'vitest'
import { proposalState, type Voting } from '../src/cooperate/proposal-state.ts'

const DAY = 86_400
const voting: Voting = {
  snapshot: 100,
  deadline: 200,
  for: 30n,
  against: 10n,
  abstain: 0n,
  supply: 100n,
  quorumPercent: 20n,
  steps: {},
}
const queued = { steps: { queued: { atMs: 300_000, eta: 400 } } }

test.each<[string, Partial<Voting>, number]>([
  ['pending', {}, 100],
  ['active', {}, 101],
  ['active', {}, 200],
  ['succeeded', {}, 201],
  ['succeeded', {}, 200 + 14 * DAY],
  ['expired', {}, 201 + 14 * DAY],
  ['defeated', { for: 10n }, 201 + 14 * DAY],
  ['queued', queued, 399],
  ['ready', queued, 400],
  ['ready', queued, 400 + 14 * DAY],
  ['expired', queued, 401 + 14 * DAY],
  ['executed', { steps: { ...queued.steps, executed: { atMs: 0, eta: null } } }, 401 + 14 * DAY],
])('%s as the governor has it (case %#)', (state, more, nowSeconds) => {
  expect(proposalState({ ...voting, ...more }, nowSeconds)).toBe(state)
})
