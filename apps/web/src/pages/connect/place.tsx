import type { Machine, Place } from '@liquefy/client'
import { formatDecimal, parseDecimal } from '@liquefy/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { node } from '../../api.ts'
import { useSession } from '../../session/use-session.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Figure } from '../../ui/parts.tsx'
import { placeWords } from './place-words.ts'

/** Where a machine is. Its owner gives it a place, if it does not measure one. */
export const MachinePlaceFigure = ({ machine }: { machine: Machine }) => {
  const [open, setOpen] = useState(false)
  const isOwner = useSession()?.address === machine.owner.toLowerCase()
  const { place } = machine
  const measured = place?.from === 'readings'
  if (place === null && !isOwner) return null
  return (
    <Figure
      name="Place"
      note={
        measured ? (
          'by its newest reading'
        ) : isOwner ? (
          <button type="button" className="place-change" onClick={() => setOpen(true)}>
            {place === null ? 'Give it a place' : 'Change its place'}
          </button>
        ) : (
          'as its owner says'
        )
      }
    >
      {place === null ? 'not given' : placeWords(place)}
      {open ? <PlaceDialog machine={machine} onClose={() => setOpen(false)} /> : null}
    </Figure>
  )
}

const PlaceDialog = ({ machine, onClose }: { machine: Machine; onClose: () => void }) => {
  const { machineId, place } = machine
  const queries = useQueryClient()
  const saving = useMutation({
    mutationFn: (given: FormData | null) =>
      given === null ? node.forgetPlace(machineId) : node.placeMachine(machineId, placeIn(given)),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['machine', machineId] })
      await queries.invalidateQueries({ queryKey: ['machines'] })
      onClose()
    },
  })
  const save = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    saving.mutate(new FormData(event.currentTarget))
  }
  return (
    <Dialog title={`Where ${machine.name} stands`} onClose={onClose}>
      <form className="form form-wide" onSubmit={save}>
        <p className="note">
          In degrees, as maps give them: north and east are positive. Everybody sees it.
        </p>
        <div className="place-fields">
          <DegreesField label="Latitude" name="latitude" degreesE7={place?.latitudeE7} />
          <DegreesField label="Longitude" name="longitude" degreesE7={place?.longitudeE7} />
        </div>
        <div role="status">
          {saving.error ? <p className="problem-words">{saving.error.message}</p> : null}
        </div>
        <button type="submit" className="button" disabled={saving.isPending}>
          Keep this place
        </button>
        {place === null ? null : (
          <button
            type="button"
            className="button button-quiet"
            disabled={saving.isPending}
            onClick={() => saving.mutate(null)}
          >
            Take it off the map
          </button>
        )}
      </form>
    </Dialog>
  )
}

const DegreesField = ({
  label,
  name,
  degreesE7,
}: {
  label: string
  name: string
  degreesE7: number | undefined
}) => (
  <label className="field">
    <span>{label}</span>
    <input
      name={name}
      inputMode="decimal"
      autoComplete="off"
      placeholder={name === 'latitude' ? '53.518' : '9.989'}
      defaultValue={degreesE7 === undefined ? '' : formatDecimal(BigInt(degreesE7), 7)}
    />
  </label>
)

/** The place that a form says. */
const placeIn = (given: FormData): Place => {
  const latitudeE7 = readDegrees(given.get('latitude'), 90)
  const longitudeE7 = readDegrees(given.get('longitude'), 180)
  if (latitudeE7 === undefined) throw new Error('The latitude is no number from -90 to 90.')
  if (longitudeE7 === undefined) throw new Error('The longitude is no number from -180 to 180.')
  return { latitudeE7, longitudeE7 }
}

/** Degrees times 10^7, cut behind the seventh digit, which is a centimetre; undefined: not within ±`limit`. */
const readDegrees = (given: FormDataEntryValue | null, limit: number): number | undefined => {
  const text = String(given ?? '')
    .trim()
    .replace(',', '.')
    .replace(/(\.\d{7})\d+$/, '$1')
  try {
    const degreesE7 = Number(parseDecimal(text, 7))
    return Math.abs(degreesE7) <= limit * 1e7 ? degreesE7 : undefined
  } catch {
    return undefined
  }
}
