import type { Operation } from '@liquefy/client'
import { countOf, formatCount } from '../../ui/format.ts'
import { Ago, Card, Figure, Hash } from '../../ui/parts.tsx'
import { formatCoin } from './quantities.ts'

/** What settling costs: per bill, in all since the start, and what is left to pay it with. */
export const Gas = ({ operation }: { operation: Operation }) => {
  const { balanceWei, spent, settling } = operation.gas
  const bills = settling.reduce((sum, one) => sum + one.bills, 0)
  const sumOf = (of: 'gas' | 'feeWei') => settling.reduce((sum, one) => sum + BigInt(one[of]), 0n)
  return (
    <Card title="Gas">
      <dl className="figures">
        <Figure
          name="Gas a bill settled"
          note={
            bills === 0
              ? 'nothing is settled yet'
              : `${formatCoin(String(sumOf('feeWei') / BigInt(bills)))}; mean of the newest ${formatCount(bills)}`
          }
        >
          {bills === 0 ? '—' : formatCount(String(sumOf('gas') / BigInt(bills)))}
        </Figure>
        <Figure
          name="Left for gas"
          note={operation.ledger.embedded ? 'play coin of the embedded ledger' : 'of the operator'}
        >
          {balanceWei === null ? 'not known' : formatCoin(balanceWei)}
        </Figure>
      </dl>
      {spent && spent.length > 0 ? <Spent spent={spent} /> : null}
      {settling.length === 0 ? null : <Settling settling={settling.slice(0, 5)} />}
    </Card>
  )
}

const kindWords: Record<string, string> = {
  settle: 'settling',
  anchor: 'anchoring the log',
  adjust: 'adjusting for late evidence',
  collect: 'collecting arrears',
}

const Spent = ({ spent }: { spent: NonNullable<Operation['gas']['spent']> }) => (
  <div className="table operation-below">
    <table>
      <thead>
        <tr>
          <th scope="col">Spent since the start, for</th>
          <th scope="col" className="number">
            gas
          </th>
          <th scope="col" className="number">
            cost
          </th>
        </tr>
      </thead>
      <tbody>
        {spent.map(({ kind, transactions, gas, feeWei }) => (
          <tr key={kind}>
            <th scope="row">
              {kindWords[kind] ?? kind}
              <span className="note">{countOf(transactions, 'transaction')}</span>
            </th>
            <td className="number">{formatCount(gas)}</td>
            <td className="number">{formatCoin(feeWei)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const Settling = ({ settling }: { settling: Operation['gas']['settling'] }) => (
  <>
    <h3 className="operation-below operation-heading">Newest settlements</h3>
    <ul className="rows">
      {settling.map(({ txHash, atMs, bills, gas }) => (
        <li key={txHash} className="row">
          <span>
            <Hash hex={txHash} />
            <span className="note">
              {countOf(bills, 'bill')}, {formatCount(gas)} gas
            </span>
          </span>
          <Ago timeMs={atMs} />
        </li>
      ))}
    </ul>
  </>
)
