import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'

/** `liquefy status`: what the node counts, in one screen, or as the node's own JSON. */
export function statusCommand(): Command {
  return new Command('status')
    .description('what the node has taken in, what is owed and what is settled')
    .action(async (_options, command: Command) => {
      const { node, out } = contextOf(command)
      const client = node()
      const [status, { asset }, notices] = await Promise.all([
        client.status(),
        client.deployment(),
        client.notices(),
      ])
      const warned = new Set(notices.map(({ agreementId }) => agreementId)).size
      const money = moneyText(asset)
      out.result(status, () =>
        table([
          ['machines', String(status.machines)],
          ['logged', String(status.envelopes.logged)],
          ['priced', String(status.envelopes.priced)],
          ['unpriced', countsText(status.envelopes.unpriced)],
          ['waiting', String(status.envelopes.waiting)],
          ['duplicate', String(status.envelopes.duplicate)],
          ['refused', countsText(status.envelopes.refused)],
          ['owed', money(status.owedMinor)],
          ['settled', money(status.settledMinor)],
          ['low on escrow', `${warned} agreement${warned === 1 ? '' : 's'}`],
          ['ledger', `chain ${status.chain.chainId}, block ${status.chain.block}`],
          ['log', `${status.chain.logSize} leaves, ${status.chain.anchoredSize} anchored`],
        ]),
      )
    })
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts)
  return entries.length === 0 ? '0' : entries.map(([code, n]) => `${n} ${code}`).join(', ')
}
