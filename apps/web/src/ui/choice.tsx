/** One of a few, all of them seen. */
export const Choice = <T extends string | number>({
  label,
  options,
  value,
  onChoose,
}: {
  label: string
  options: { words: string; value: T }[]
  value: T
  onChoose: (value: T) => void
}) => (
  <fieldset className="choice">
    <legend className="visually-hidden">{label}</legend>
    {options.map((option) => (
      <label key={option.value}>
        <input
          type="radio"
          name={label}
          checked={option.value === value}
          onChange={() => onChoose(option.value)}
        />
        <span>{option.words}</span>
      </label>
    ))}
  </fieldset>
)
