import type { Vault, VaultIncome, VaultMonth } from '@liquefy/client'
import { useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { formatExact } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At, Card, Hash } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { useIncomes, useMonths } from './vault-queries.ts'
import { WideTable } from './wide-table.tsx'

const shownIncomes = 30
const shownMonths = 24

/** Income over time: by month or one by one, and what became of it. */
export const IncomeCard = ({ vault }: { vault: Vault }) => {
  const [by, setBy] = useState<'month' | 'income'>('month')
  return (
    <Card
      title="Income"
      aside={
        <Choice
          label="Drawn by"
          options={[
            { words: 'By month', value: 'month' },
            { words: 'One by one', value: 'income' },
          ]}
          value={by}
          onChoose={setBy}
        />
      }
    >
      {by === 'month' ? <ByMonth vault={vault} /> : <OneByOne vault={vault} />}
    </Card>
  )
}

/** One column of the chart, and one row of the table under it. */
type Column = Omit<VaultMonth, 'month'> & { key: string; when: string; income?: VaultIncome }

const ByMonth = ({ vault }: { vault: Vault }) => (
  <Loaded query={useMonths(vault.vault)} what="its income">
    {(months) => (
      <Columns
        vault={vault}
        columns={months
          .slice(-shownMonths)
          .map((month) => ({ ...month, key: month.month, when: monthWords(month.month) }))}
      />
    )}
  </Loaded>
)

const monthFormat = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  year: '2-digit',
  timeZone: 'UTC',
})

const monthWords = (month: string): string => monthFormat.format(Date.parse(`${month}-01T00:00Z`))

const clock = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })

const OneByOne = ({ vault }: { vault: Vault }) => {
  const [before, setBefore] = useState<string>()
  return (
    <Loaded query={useIncomes(vault.vault, before, shownIncomes)} what="its income">
      {({ incomes, before: earlier }) => (
        <>
          <Columns
            vault={vault}
            columns={incomes.toReversed().map((income) => ({
              ...income,
              key: income.place,
              when: clock.format(income.atMs),
              income,
            }))}
          />
          <div className="actions">
            {before === undefined ? null : (
              <button
                type="button"
                className="button button-quiet"
                onClick={() => setBefore(undefined)}
              >
                The newest
              </button>
            )}
            {earlier === null ? null : (
              <button
                type="button"
                className="button button-quiet"
                onClick={() => setBefore(earlier)}
              >
                Earlier ones
              </button>
            )}
          </div>
        </>
      )}
    </Loaded>
  )
}

const parts = [
  { name: 'Owners', className: 'part-owners', pick: (one: Column) => one.ownersMinor },
  { name: 'Reserve', className: 'part-reserve', pick: (one: Column) => one.reserveMinor },
  { name: 'Lender', className: 'part-lender', pick: (one: Column) => one.lenderMinor },
  { name: 'Fees', className: 'part-fees', pick: (one: Column) => one.feesMinor },
] as const

const Columns = ({ vault, columns }: { vault: Vault; columns: Column[] }) => {
  const asset = useDeployment().data?.asset
  if (columns.length === 0) {
    return (
      <Empty title="No income yet">
        {vault.phase === 'selling'
          ? 'What comes in while shares are sold waits until the sale has ended.'
          : 'What its agreements pay is split here as soon as somebody collects it.'}
      </Empty>
    )
  }
  const largest = columns.reduce((most, { minor }) => max(most, BigInt(minor)), 1n)
  const height = (minor: string) => `${Number((BigInt(minor) * 10_000n) / largest) / 100}%`
  // What does not fit under its column is left out; the table has all of them.
  const every = Math.ceil(columns.length / 12)
  return (
    <>
      <ol className="income-chart" aria-hidden="true">
        {columns.map((column, index) => (
          <li
            key={column.key}
            title={`${column.when}: ${formatExact(column.minor, asset?.decimals ?? 6, 2)} ${asset?.symbol ?? ''}`}
          >
            <span className="income-column">
              {parts.map(({ name, className, pick }) =>
                pick(column) === '0' ? null : (
                  <span key={name} className={className} style={{ height: height(pick(column)) }} />
                ),
              )}
            </span>
            <span className="income-when">{index % every === 0 ? column.when : ''}</span>
          </li>
        ))}
      </ol>
      <ul className="legend" aria-hidden="true">
        {parts.map(({ name, className }) => (
          <li key={name}>
            <span className={`key ${className}`} />
            {name}
          </li>
        ))}
      </ul>
      <WideTable label="Income">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col" className="number">
              Income
            </th>
            {parts.map(({ name }) => (
              <th key={name} scope="col" className="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {columns.toReversed().map((column) => (
            <tr key={column.key}>
              <td>
                {column.income ? (
                  <>
                    <At timeMs={column.income.atMs} />
                    <span className="note">
                      <Hash hex={column.income.txHash} />
                      {column.income.final ? '' : ', not final yet'}
                    </span>
                  </>
                ) : (
                  column.when
                )}
              </td>
              <td className="number">
                <Money minor={column.minor} />
              </td>
              {parts.map(({ name, pick }) => (
                <td key={name} className="number">
                  <Money minor={pick(column)} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </WideTable>
    </>
  )
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
