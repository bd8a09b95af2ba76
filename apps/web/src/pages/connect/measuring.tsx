import type { Measure } from '@liquefy/client'
import { STREAM_NAME, senmlToUcum } from '@liquefy/protocol'
import { PickField } from '../../ui/fields.tsx'
import { measureWords } from '../transact/offer-draft.ts'
import { StreamFields } from '../transact/stream-fields.tsx'

/** What a new machine will send, and how that is counted once an agreement prices it. */
export interface Measuring {
  stream: string
  /** Of SenML (RFC 8428). */
  unit: string
  measure: Measure
}

export const firstMeasuring: Measuring = { stream: 'volume', unit: 'l', measure: 'counter' }

const usual: readonly { words: string; measuring: Measuring }[] = [
  { words: 'A volume that adds up, in litres', measuring: firstMeasuring },
  {
    words: 'Energy that adds up, in watt-hours',
    measuring: { stream: 'energy', unit: 'Wh', measure: 'counter' },
  },
  {
    words: 'A level that falls with use, in millimetres',
    measuring: { stream: 'level', unit: 'mm', measure: 'drawdown' },
  },
  {
    words: 'Pieces, one reading each',
    measuring: { stream: 'pieces', unit: 'count', measure: 'count' },
  },
  {
    words: 'A temperature that has a limit, in degrees Celsius',
    measuring: { stream: 'temperature', unit: 'Cel', measure: 'duration-beyond' },
  },
]

/** What stands in the way of measuring so, by field. */
export const measuringProblems = ({ stream, unit }: Measuring): Record<string, string> => ({
  ...(STREAM_NAME.test(stream)
    ? {}
    : {
        stream:
          'A small letter first, then small letters, digits and hyphens: 32 characters at most.',
      }),
  ...(senmlToUcum(unit)
    ? {}
    : { unit: `“${unit}” is no unit of SenML, such as l, Wh, kWh, kg, mm, Cel or count.` }),
})

/** Asks for the stream, its unit, and what of it counts. */
export const MeasuringFields = ({
  measuring,
  onChange,
}: {
  measuring: Measuring
  onChange: (measuring: Measuring) => void
}) => {
  const told = { problems: measuringProblems(measuring), tried: true }
  const known = usual.findIndex(({ measuring: one }) => one.stream === measuring.stream)
  return (
    <div className="form form-wide">
      <PickField
        label="What it measures"
        name="usual"
        value={String(known)}
        onChange={(index) => {
          const chosen = usual[Number(index)]
          onChange(chosen ? chosen.measuring : { ...measuring, stream: '' })
        }}
        told={told}
      >
        {usual.map(({ words }, index) => (
          <option key={words} value={index}>
            {words}
          </option>
        ))}
        <option value="-1">Something else</option>
      </PickField>
      <StreamFields stream={measuring} onChange={onChange} told={told} />
      <PickField
        label="What counts once it is priced"
        name="measure"
        value={measuring.measure}
        onChange={(measure) => onChange({ ...measuring, measure: measure as Measure })}
        told={told}
      >
        {Object.entries(measureWords)
          // A way lies between two streams' records: an agreement about it is written for a machine that sends them.
          .filter(([measure]) => measure !== 'distance')
          .map(([measure, words]) => (
            <option key={measure} value={measure}>
              {words}
            </option>
          ))}
      </PickField>
    </div>
  )
}
