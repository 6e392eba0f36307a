"""An enzyme's rate against its substrate: does puromycin change the affinity too, or only the capacity?"""

import thalweg as tw

curve = "rate = michaelis_menten(conc, vmax, km)"
shared = tw.fit(curve, "puromycin", by="state", shared=["km"])
apart = tw.fit(
    'rate = michaelis_menten(conc, where(state == "treated", v1, v0), where(state == "treated", k1, k0))', "puromycin"
)

print(shared.summary())
print(shared.compare(apart))  # F test: one km for both states, or one for each
for name, (low, high) in shared.intervals(method="profile").items():
    print(f"{name:>16} {low:9.4f} {high:9.4f}")
apart.plot("fit", "puromycin.png")
shared.save("puromycin.safetensors")
print(tw.load("puromycin.safetensors").predict({"conc": [0.1, 0.1], "state": ["treated", "untreated"]}).round(1))
