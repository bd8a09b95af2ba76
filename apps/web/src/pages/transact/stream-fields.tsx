import { type OfferMeter, usualMeasure } from '@liquefy/client'
import { TextField, type Told } from '../../ui/fields.tsx'

/** Asks for a stream that was not seen yet, and its unit; what of it counts follows from the unit, until somebody says otherwise. */
export const StreamFields = <T extends Pick<OfferMeter, 'stream' | 'unit' | 'measure'>>({
  stream: asked,
  onChange,
  told,
}: {
  stream: T
  onChange: (stream: T) => void
  told: Told
}) => (
  <div className="field-row">
    <TextField
      label="Name of the stream"
      name="stream"
      decimal={false}
      value={asked.stream}
      onChange={(stream) => onChange({ ...asked, stream: stream.trim() })}
      told={told}
    />
    <TextField
      label="Unit of its readings"
      name="unit"
      decimal={false}
      placeholder="l"
      value={asked.unit}
      onChange={(unit) => onChange({ ...asked, unit, measure: usualMeasure(unit) })}
      told={told}
    />
  </div>
)
